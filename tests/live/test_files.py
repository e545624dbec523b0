"""Files in, files out, through the whole stack: by links, a real engine, a real agent process."""

import hashlib
import http.client
import os
import random
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fixtures.stack import Caller, RunningStack, running
from tests.fixtures.waiting import until

LARGE = 8 * 1024 * 1024
HOSTILE = """
ln -s /etc/passwd /wharfage/link; ln -s / /wharfage/root; mkdir /wharfage/folder
mkfifo /wharfage/pipe; echo fine > /wharfage/fine
dd if=/dev/zero of=/wharfage/hole bs=1 count=1 seek=9999999999 2>/dev/null
exit 3
"""


@pytest.fixture(scope="module")
def stack(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running(tmp_path_factory.mktemp("files"), engine_url) as found:
        yield found


@pytest.fixture
def customer(stack: RunningStack) -> Caller:
    caller = Caller(url=stack.url).sign_up()
    caller.top_up(1000)
    return caller


def call(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def announce(customer: Caller, data: bytes) -> Any:
    asked = {"size_bytes": len(data), "sha256": digest(data)}
    return customer.post("/v1/uploads", asked, key=secrets.token_hex(8))


def bring(customer: Caller, data: bytes) -> str:
    made = announce(customer, data)
    status, _ = call("PUT", made["url"], data, made["headers"])
    assert status == 200
    return str(made["id"])


def outputs(customer: Caller, job: Any, *, seconds: int = 60) -> Any:
    for _ in range(seconds // 5):
        found = customer.get(f"/v1/jobs/{job['id']}/outputs?wait=5")
        if found["complete"]:
            return found
    raise AssertionError("the outputs do not come")


def test_eight_megabytes_go_in_and_come_out_byte_for_byte(stack: RunningStack, customer: Caller):
    data = random.Random(1).randbytes(LARGE)
    upload = bring(customer, data)

    job = customer.submit(
        stack.images[0],
        *("sh", "-c", "cat $WHARFAGE_INPUT; cp /wharfage/inputs/a.bin /wharfage/b.bin"),
        files={"a.bin": upload},
        outputs=["/wharfage/b.bin", "/wharfage/input.json"],
        input={"factor": 0.5, "text": "caf\u00e9"},
    )
    ended = customer.wait(job)
    found = {item["path"]: item for item in outputs(customer, job)["items"]}

    assert ended["status"] == "succeeded", ended
    assert customer.log(job) == '{"factor":0.5,"text":"caf\u00e9"}'.encode()
    item = found["/wharfage/b.bin"]
    assert (item["size_bytes"], item["sha256"]) == (LARGE, digest(data))
    assert call("GET", item["url"]) == (200, data)
    status, given = call("GET", found["/wharfage/input.json"]["url"])
    assert (status, given) == (200, customer.log(job))


def test_what_a_failed_and_hostile_job_left_is_only_its_own(stack: RunningStack, customer: Caller):
    asked = {
        "/wharfage/link": "not_a_file",
        "/wharfage/root/etc/passwd": "not_a_file",
        "/wharfage/folder": "not_a_file",
        "/wharfage/pipe": "not_a_file",
        "/wharfage/hole": "too_large",
        "/wharfage/none": "not_found",
    }

    job = customer.submit(stack.images[0], "sh", "-c", HOSTILE, outputs=[*asked, "/wharfage/fine"])
    ended = customer.wait(job)
    found = outputs(customer, job)

    assert (ended["status"], ended["exit_code"]) == ("failed", 3)
    assert {each["path"]: each["reason"] for each in found["missing"]} == asked
    [item] = found["items"]
    assert call("GET", item["url"]) == (200, b"fine\n")
    events = customer.get(f"/v1/jobs/{job['id']}/events?limit=100")["items"]
    assert "outputs.missing" in {event["kind"] for event in events}


def test_a_link_takes_what_was_announced_and_nothing_else(customer: Caller):
    data = os.urandom(100_000)
    made = announce(customer, data)
    spoilt = made["url"].replace("size_bytes=100000", "size_bytes=100001")

    refused = [
        call("PUT", made["url"], data[:-1])[0],
        call("PUT", made["url"], data + b"!")[0],
        call("PUT", made["url"], bytes(100_000), made["headers"])[0],
        call("PUT", spoilt, data + b"!")[0],
        call("GET", made["url"])[0],
        call("DELETE", made["url"])[0],
        call("PUT", made["url"].partition("?")[0], data)[0],
    ]
    taken = [call("PUT", made["url"], data, made["headers"])[0] for _ in range(2)]

    assert refused == [400, 400, 400, 403, 403, 403, 403]
    assert taken == [200, 200]


def test_somebody_elses_files_and_what_has_not_arrived_are_refused(
    stack: RunningStack, customer: Caller
):
    other = Caller(url=stack.url).sign_up()
    other.top_up(1000)
    upload, announced = bring(customer, b"mine"), announce(customer, b"never sent")["id"]
    spec = {"image": stack.images[0], "command": ["true"]}

    theirs = other.ask("POST", "/v1/jobs", spec | {"files": {"a": upload}}, key="a")
    shown = other.ask("GET", f"/v1/uploads/{upload}")
    early = customer.ask("POST", "/v1/jobs", spec | {"files": {"a": announced}}, key="b")
    up = customer.ask("POST", "/v1/jobs", spec | {"files": {"../../etc/passwd": upload}}, key="c")
    out = customer.ask("POST", "/v1/jobs", spec | {"outputs": ["/wharfage/../etc/passwd"]}, key="d")

    assert (theirs.status, shown.status) == (404, 404)
    assert (early.status, early.body["errors"][0]["code"]) == (422, "upload_incomplete")
    assert (up.status, out.status) == (422, 422)


def test_an_agent_that_is_killed_while_files_go_out_brings_them_in_its_next_life(
    stack: RunningStack, customer: Caller
):
    job = customer.submit(
        stack.images[0],
        *("sh", "-c", "head -c 60000000 /dev/urandom > /wharfage/out; sha256sum /wharfage/out"),
        outputs=["/wharfage/out"],
    )
    arriving = stack.paths.objects / ".arriving"
    until(
        lambda: customer.get(f"/v1/jobs/{job['id']}")["is_terminal"] or any(arriving.glob("*")),
        seconds=60,
    )
    stack.kill_child("agent")

    ended = customer.wait(job)
    [item] = outputs(customer, job, seconds=120)["items"]

    assert ended["status"] == "succeeded"
    assert item["size_bytes"] == 60_000_000
    assert customer.log(job).split()[0].decode() == item["sha256"]
    _, data = call("GET", item["url"])
    assert digest(data) == item["sha256"]


def test_nothing_of_a_jobs_files_stays_on_the_host(stack: RunningStack, customer: Caller):
    import docker

    upload = bring(customer, b"a")
    job = customer.submit(
        stack.images[0], "true", files={"a": upload}, outputs=["/wharfage/inputs/a"]
    )
    outputs(customer, job)
    engine = docker.APIClient(base_url=stack.engine_url)

    def left() -> list[str]:
        found = engine.containers(all=True, filters={"label": f"wharfage.job={job['id']}"})
        return [each["Id"] for each in found]

    try:
        until(lambda: not left(), seconds=30, what="the removal of the container")
        volumes = engine.volumes(filters={"dangling": True})["Volumes"] or []
        assert [each["Name"] for each in volumes if not each.get("Labels")] == []
    finally:
        engine.close()
    assert not list((stack.paths.objects / ".arriving").glob("*"))


def test_the_command_brings_names_and_fetches_files(stack: RunningStack, tmp_path: Path):
    from infrastructure.local.demo import _Customer

    said: list[str] = []
    person = _Customer(stack.stack, said.append)
    person.sign_in()
    person.top_up()
    source = tmp_path / "in.txt"
    source.write_text("some text\n")

    person._typed(
        *("run", "--file", f"in={source}", "--output", "d/out.txt", "--input", "-"),
        *(stack.images[0], "--", "sh", "-c"),
        "mkdir /wharfage/d; tr a-z A-Z < /wharfage/inputs/in > /wharfage/d/out.txt",
        stdin='{"a": 1}',
    )  # fmt: skip
    listed = person._typed("ps", "--all").splitlines()[1].split()[0]
    person._typed("outputs", listed, "--to", str(tmp_path / "got"))

    assert (tmp_path / "got/d/out.txt").read_text() == "SOME TEXT\n"
    assert [each.name for each in (tmp_path / "got/d").iterdir()] == ["out.txt"]


def test_a_picture_is_shrunk_by_a_real_program_and_fetched_by_its_link(
    stack: RunningStack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DOCKER_HOST", stack.engine_url)
    from infrastructure.local.demo import _Customer

    said: list[str] = []
    person = _Customer(stack.stack, said.append)
    person.sign_in()
    person.top_up()

    person.shrink_a_picture()

    assert "48 x 32, grey, and its SHA-256 is the one listed." in said[-1], said
