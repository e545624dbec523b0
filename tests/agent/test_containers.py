"""What the engine is asked for: the same hardening for everybody, and labels that read back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent.fakes import DIGEST, MACHINE, grant
from wharfage.domain.spec import JobSpec
from wharfage_agent import containers
from wharfage_agent.attempts import Image, Work
from wharfage_agent.errors import UnusableHost
from wharfage_agent.policy import Policy, load


def config(
    spec: JobSpec | None = None, *, user: str = "", policy: Policy | None = None
) -> dict[str, Any]:
    return containers.config(
        grant(spec=spec),
        Image(reference="x", digest=DIGEST, user=user),
        host="hst_0001",
        boot="bot_0001",
        machine=MACHINE,
        policy=policy or Policy(),
        hosts_file="/state/hosts",
    )


def test_a_container_has_no_privilege_and_no_network() -> None:
    body = config()

    host = body["HostConfig"]
    assert body["NetworkDisabled"]
    assert (host["NetworkMode"], host["IpcMode"]) == ("none", "private")
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges"])
    assert host["ReadonlyRootfs"]
    assert host["Memory"] == host["MemorySwap"] == 512 * 1024 * 1024
    assert host["RestartPolicy"] == {"Name": "no"}
    assert "Privileged" not in host
    assert "Devices" not in host
    assert [mount["Target"] for mount in host["Mounts"]] == ["/wharfage", "/etc/hosts"]
    assert host["Mounts"][1]["ReadOnly"]


@pytest.mark.parametrize("root", ["", "0", "00", "root", "0:1000", "root:daemon"])
def test_an_image_that_runs_as_root_runs_as_nobody(root: str) -> None:
    assert config(user=root)["User"] == "65534:65534"
    assert config(user=root, policy=Policy(allow_root=True))["User"] == root


@pytest.mark.parametrize("user", ["1000", "app", "1000:0"])
def test_an_images_own_user_is_kept(user: str) -> None:
    assert config(user=user)["User"] == user


def test_a_customer_cannot_say_which_attempt_this_is() -> None:
    spec = JobSpec(image="x", env={"WHARFAGE_ATTEMPT": "9", "A": "1"})

    environment = config(spec)["Env"]

    assert environment == ["WHARFAGE_ATTEMPT=1", "A=1", "WHARFAGE_JOB_ID=job_0001"]


def test_labels_say_all_that_a_later_life_needs() -> None:
    work = Work.of(grant())

    labels = containers.labels(work, host="hst_0001", boot="bot_0001")

    assert containers.work_of(labels) == work
    assert containers.work_of({}) is None


def test_open_files_stay_below_the_hosts_own_limit() -> None:
    low = replace(MACHINE, files_max=100)
    body = containers.config(
        grant(),
        Image(reference="x", digest=DIGEST, user=""),
        host="h",
        boot="b",
        machine=low,
        policy=Policy(),
        hosts_file=None,
    )

    assert body["HostConfig"]["Ulimits"] == [{"Name": "nofile", "Soft": 100, "Hard": 100}]


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        ("registry.example/a", True),
        ("registry.example.evil/a", False),
        ("a", False),
        ("A B", False),
    ],
)
def test_only_listed_registries_pass_the_policy(image: str, allowed: bool) -> None:
    policy = Policy(allowed_registries=("registry.example",))

    assert policy.vetoes(JobSpec(image=image)) is not allowed


def test_a_policy_file_with_a_typo_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("slotz = 3")

    with pytest.raises(UnusableHost, match="slotz"):
        load(path)


def test_a_policy_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('slots = 3\nlocal_images = ["local/"]')

    assert load(path) == Policy(slots=3, local_images=("local/",))
