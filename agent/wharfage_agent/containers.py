"""The container of an attempt: one dict for the engine, hardened the same way for everybody."""

from typing import Any

import msgspec

from wharfage.domain.spec import INPUT_PATH, VOLUME_PATH
from wharfage.messages import Grant
from wharfage_agent.attempts import Image, Key, Work
from wharfage_agent.policy import Policy
from wharfage_agent.ports import Machine

LABEL = "wharfage."
HOST_LABEL = LABEL + "host"
BOOT_LABEL = LABEL + "boot"
WORK_LABELS = {field: LABEL + field for field in Work.__struct_fields__}

TMP_PATH = "/tmp"  # noqa: S108 - it is the container's own, not the host's
NOBODY = "65534:65534"
FILES_MAX = 16_384
TMP_MB_MAX = 64
SHARED_MEMORY_BYTES = 16 * 1024 * 1024
MEBIBYTE = 1024 * 1024
NANO_CPUS_PER_MILLI = 1_000_000

#: The journal is framed line by line: a line of 20 characters takes five times as much there.
#: A file that is never rotated must hold both streams up to their caps.
JOURNAL_FACTOR = 8
STREAMS = 2


def config(
    grant: Grant,
    image: Image,
    *,
    host: str,
    boot: str,
    machine: Machine,
    policy: Policy,
    hosts_file: str | None,
) -> dict[str, Any]:
    """Build the body of the engine's create call.

    *hosts_file* is a path that the engine sees, of a file that makes `localhost` resolve.
    """
    work = Work.of(grant)
    spec = grant.spec
    environment = {
        **spec.env,
        "WHARFAGE_JOB_ID": grant.job,
        "WHARFAGE_ATTEMPT": str(grant.attempt),
    }
    if spec.input is not None:
        environment["WHARFAGE_INPUT"] = INPUT_PATH
    body: dict[str, Any] = {
        "Image": image.reference,
        "User": _user(image.user, policy),
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": labels(work, host=host, boot=boot),
        "NetworkDisabled": policy.network_recipe == "fast",
        "Tty": False,
        "OpenStdin": False,
        "HostConfig": _host_config(work, machine, policy, hosts_file),
    }
    if spec.entrypoint is not None:
        body["Entrypoint"] = list(spec.entrypoint)
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    return body


def labels(work: Work, *, host: str, boot: str) -> dict[str, str]:
    """Return all that a later life needs to adopt the container."""
    facts = {label: str(getattr(work, field)) for field, label in WORK_LABELS.items()}
    return {HOST_LABEL: host, BOOT_LABEL: boot, **facts}


def work_of(found: dict[str, str]) -> Work | None:
    """Read the labels back; None if they are not ours."""
    facts = {field: found[label] for field, label in WORK_LABELS.items() if label in found}
    try:
        return msgspec.convert(facts, Work, strict=False)
    except msgspec.ValidationError:
        return None


def name_of(work: Work) -> str:
    """Return the container's name."""
    return Key(work.job, work.attempt).container


def _host_config(
    work: Work, machine: Machine, policy: Policy, hosts_file: str | None
) -> dict[str, Any]:
    memory = work.memory_mb * MEBIBYTE
    files = min(machine.files_max, FILES_MAX)
    journal_mb = max(1, JOURNAL_FACTOR * STREAMS * work.log_cap_bytes // MEBIBYTE)
    mounts: list[dict[str, Any]] = [{"Type": "volume", "Target": VOLUME_PATH}]
    if hosts_file is not None:
        mounts.append(
            {"Type": "bind", "Source": hosts_file, "Target": "/etc/hosts", "ReadOnly": True}
        )
    tmp_mb = max(1, min(TMP_MB_MAX, work.memory_mb // 2))
    found: dict[str, Any] = {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        "Tmpfs": {TMP_PATH: f"rw,nosuid,nodev,exec,mode=1777,size={tmp_mb}m"},
        "Mounts": mounts,
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": work.cpu_millis * NANO_CPUS_PER_MILLI,
        "PidsLimit": policy.max_pids,
        "Ulimits": [{"Name": "nofile", "Soft": files, "Hard": files}],
        "ShmSize": min(SHARED_MEMORY_BYTES, memory // 2),
        "Init": machine.init,
        "IpcMode": "private",
        "NetworkMode": "none",
        "RestartPolicy": {"Name": "no"},
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": f"{journal_mb}m", "max-file": "1"},
        },
    }
    if policy.cgroup_parent is not None:
        found["CgroupParent"] = policy.cgroup_parent
    if policy.runtime is not None:
        found["Runtime"] = policy.runtime
    return found


def _user(named: str, policy: Policy) -> str:
    """Return the user to run as: the image's own unless that is root."""
    if policy.allow_root:
        return named
    account = named.partition(":")[0]
    root = account in ("", "root") or (account.isdecimal() and int(account) == 0)
    return NOBODY if root else named
