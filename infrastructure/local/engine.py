"""The Docker Engine of this machine: found where it runs, else one of our own.

Looked for in this order: `DOCKER_HOST`, Docker's socket, Podman's sockets. If none answers, and we
are root and `dockerd` is installed, the stack starts one with a data root, exec root, socket,
configuration and cgroup parent of its own; it reads nothing of `/etc/docker`.

An engine of our own is the one child that outlives a crash of the stack: it is started with
live-restore and not tied to the supervisor's life, so jobs go on, the next `up` adopts it, and
the agent adopts its containers. `down` stops the containers, then the engine.

Facts, on Debian 12's Engine 20.10 (API 1.41): ready in 0.5-2 s without systemd; cgroup v1 on tmpfs
and ext4 (overlay2) work; containerd leads a session of its own and dies with dockerd, while the
shims and their containers live on, and the next dockerd finds them. It takes the pid files of
dockerd and containerd at their word, so a zombie or a stranger would stop it: stale ones are
removed first. 127.0.0.0/8 counts as an insecure registry, so a loopback registry needs no TLS.
Without iptables it runs with no bridge: enough for jobs without network.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from infrastructure.local.paths import Paths, made
from infrastructure.local.process import Command, environment

#: We speak at most this version of the API, and refuse engines that speak less than the other.
API_VERSION_MAX = (1, 47)
API_VERSION_MIN = (1, 41)

_PROBE_SECONDS = 2
_CALL_SECONDS = 60
_CONTAINER_GRACE_SECONDS = 10
#: How `/proc/self/mounts` writes the blanks of a path.
_ESCAPED = re.compile(r"\\([0-7]{3})")
_SYSTEM_SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")


class EngineMissing(Exception):
    """There is no engine, and we cannot start one; the message says what to type."""


class EngineUnusable(Exception):
    """An engine answers, but not one that we can work with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """An engine that answered."""

    #: What `DOCKER_HOST` takes: `unix:///path` or another URL.
    url: str
    api_version: str
    version: str


def find(environ: Mapping[str, str]) -> Engine | None:
    """Find an engine that runs on this machine already and is not ours.

    Raises: EngineUnusable when `DOCKER_HOST` names one that does not answer, or the one that
        answers is too old or too new.
    """
    if url := environ.get("DOCKER_HOST"):
        engine = probe(url)
        if engine is None:
            raise EngineUnusable(f"DOCKER_HOST is {url}, and no engine answers there")
        return engine
    sockets = [Path(path) for path in _SYSTEM_SOCKETS]
    if session := environ.get("XDG_RUNTIME_DIR"):
        sockets += [Path(session, "docker.sock"), Path(session, "podman", "podman.sock")]
    for path in sockets:
        # One that is there but closed to us is as good as none: the next may be open.
        if path.is_socket() and (engine := probe(f"unix://{path}")):
            return engine
    return None


def probe(url: str) -> Engine | None:
    """Ask what answers at *url*; None when nothing does.

    Raises: EngineUnusable.
    """
    if not _listens(url):
        return None
    try:
        # Unversioned: an engine refuses versions that it does not know, and we do not know it yet.
        with contextlib.closing(
            docker.APIClient(base_url=url, version=_text(API_VERSION_MIN), timeout=_PROBE_SECONDS)
        ) as client:
            found: dict[str, Any] = client.version(api_version=False)
    except (docker.errors.DockerException, requests.RequestException):
        return None
    newest, oldest = _version(found["ApiVersion"]), _version(found.get("MinAPIVersion") or "1.0")
    spoken = min(newest, API_VERSION_MAX)
    if newest < API_VERSION_MIN:
        raise EngineUnusable(
            f"the engine at {url} speaks API {_text(newest)}; "
            f"{_text(API_VERSION_MIN)} (Engine 20.10) is the least"
        )
    if oldest > API_VERSION_MAX:
        raise EngineUnusable(
            f"the engine at {url} speaks API {_text(oldest)} or later; "
            f"we speak up to {_text(API_VERSION_MAX)}"
        )
    return Engine(url=url, api_version=_text(spoken), version=str(found["Version"]))


def connect(engine: Engine) -> docker.APIClient:
    """Open a client that speaks the version agreed on."""
    return docker.APIClient(base_url=engine.url, version=engine.api_version, timeout=_CALL_SECONDS)


def own_url(paths: Paths) -> str:
    """Name the address of an engine of our own, running or not."""
    return f"unix://{paths.socket('docker')}"


def own(paths: Paths) -> Command:
    """Make the command that runs an engine of our own; it is ready when it answers.

    Raises: EngineMissing when this user on this machine cannot run one.
    """
    program = shutil.which("dockerd", path=_search_path())
    if not _root():
        raise EngineMissing(
            "No Docker Engine answers, and only root can start one. Either start yours, or set "
            "DOCKER_HOST, or add yourself to the group `docker`, or run this again with sudo."
        )
    if program is None:
        raise EngineMissing(
            "No Docker Engine answers, and dockerd is not installed. On Debian or Ubuntu:\n"
            "    apt-get install --no-install-recommends docker.io iptables"
        )
    exec_root = paths.runtime / "engine"
    pid_file, configuration = paths.runtime / "docker.pid", paths.runtime / "docker.json"

    def before_start() -> None:
        made(paths.runtime)
        made(paths.engine)
        # A stale one whose pid was reused would stop dockerd; who runs is known from our record.
        pid_file.unlink(missing_ok=True)
        if not _containerd_alive(exec_root):  # dockerd would wait for a zombie or for a stranger.
            _containerd_record(exec_root).unlink(missing_ok=True)
        configuration.write_text(json.dumps(_configuration(paths, exec_root, pid_file), indent=2))

    return Command(
        name="engine",
        argv=(program, "--config-file", str(configuration)),
        env=environment(PATH=_search_path()),
        ready=lambda: probe(own_url(paths)) is not None,
        before_start=before_start,
        before_stop=lambda: stop_containers(own_url(paths)),
        left_over=lambda: bool(_working_for(exec_root)),
        grace_seconds=20,
        outlives=True,
    )


def stop_containers(url: str) -> None:
    """Stop every container of the engine at *url*: with live-restore they would outlive it."""
    engine = probe(url)
    if engine is None:
        return
    with contextlib.closing(connect(engine)) as client:
        for container in client.containers():
            with contextlib.suppress(docker.errors.NotFound):
                client.stop(container["Id"], timeout=_CONTAINER_GRACE_SECONDS)


def remove(paths: Paths) -> None:
    """Delete what an ended engine of our own left; after a crash some of it is still mounted."""
    for root in (paths.engine, paths.runtime):
        for mounted in reversed(_mounts_below(root)):
            subprocess.run(("umount", "--", mounted), env=environment(), check=True)
        shutil.rmtree(root, ignore_errors=True)


def _mounts_below(root: Path) -> list[Path]:
    """List what is mounted at or below *root*, in the order in which it was."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    plain = [_ESCAPED.sub(lambda found: chr(int(found[1], 8)), line.split()[1]) for line in lines]
    return [point for point in map(Path, plain) if point.is_relative_to(root)]


def _listens(url: str) -> bool:
    """Whether somebody takes connections there; docker-py leaks a socket where nobody does."""
    scheme, _, path = url.partition("://")
    if scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PROBE_SECONDS)
        try:
            connection.connect(path)
        except OSError:
            return False
    return True


def _configuration(paths: Paths, exec_root: Path, pid_file: Path) -> dict[str, Any]:
    network = (
        {} if _iptables_works() else {"iptables": False, "bridge": "none", "ip-forward": False}
    )
    return {
        "data-root": str(paths.engine),
        "exec-root": str(exec_root),
        "pidfile": str(pid_file),
        "hosts": [own_url(paths)],
        "group": "root",
        "live-restore": True,
        # Plain paths as cgroup parents work with this driver only, on either cgroup version.
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "cgroup-parent": f"/{paths.runtime.name}",
        "log-driver": "json-file",
        "log-opts": {"max-size": "64m", "max-file": "1"},
        **network,
    }


def _iptables_works() -> bool:
    """Whether the kernel and our rights allow NAT: in a container they often do not."""
    try:
        listed = subprocess.run(
            ("iptables", "--wait", "--table", "nat", "--list", "--numeric"),
            env=environment(PATH=_search_path()),
            capture_output=True,
            timeout=_CALL_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return False
    return listed.returncode == 0


def _containerd_record(exec_root: Path) -> Path:
    return exec_root / "containerd" / "containerd.pid"


def _containerd_alive(exec_root: Path) -> bool:
    try:
        pid = int(_containerd_record(exec_root).read_text())
    except (FileNotFoundError, ValueError):
        return False
    return pid in _working_for(exec_root)


def _working_for(exec_root: Path) -> list[int]:
    """List the processes that name *exec_root* in their command: containerd and its shims."""
    mark = os.fsencode(exec_root)
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if entry.name.isdigit() and mark in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def _root() -> bool:
    return os.geteuid() == 0


def _search_path() -> str:
    """A user's PATH often lacks the folders where dockerd, runc and iptables are."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _text(version: Iterable[int]) -> str:
    return ".".join(str(part) for part in version)
