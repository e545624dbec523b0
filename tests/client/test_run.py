"""`wharfage run`: the container's bytes and exit code, as if it ran here."""

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.conftest import COMMAND, Run
from tests.client.playing import Api
from tests.client.said import Script, Session
from tests.client.samples import NOW, SUCCEEDS, WAITING, Json, ended
from tests.fixtures.waiting import until

pytestmark = pytest.mark.usefixtures("signed_in")

EVERY_BYTE = bytes(range(256)) * 1024 + b"\r\nno newline at the end \xff"


def test_the_output_of_a_container_arrives_byte_for_byte_on_its_own_streams(api: Api, run: Run):
    errors = EVERY_BYTE[::-1]
    log = [("stdout", EVERY_BYTE), ("stderr", errors)]
    api.next_script = Script(steps=SUCCEEDS, log=log, part_bytes=10_007)

    result = run("run", "busybox", "cat")

    assert (result.code, result.out, result.err) == (0, EVERY_BYTE, errors)


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (ended("succeeded", 0), 0),
        (ended("failed", 3, reason_code="exit_code"), 3),
        (ended("failed", 137, reason_code="out_of_memory", oom=True), 137),
        (ended("failed", None, signal=11, reason_code="exit_code"), 139),
        (ended("failed", None, reason_code="command_not_found"), 127),
        (ended("failed", None, reason_code="command_not_executable"), 126),
        (ended("failed", None, reason_code="image_not_found"), 125),
        (ended("timed_out", 143, reason_code="timeout"), 124),
        (ended("cancelled", 143, reason_code="cancelled", reason_class="user"), 130),
        (ended("cancelled", 143, reason_code="funds", reason_class="policy"), 125),
        (ended("expired", None, reason_code="queue_ttl"), 125),
        (ended("lost", None, reason_code="host_lost"), 125),
        (ended("some_new_end", None), 125),
    ],
)
def test_the_exit_code_is_the_containers_own_or_says_why_there_is_none(
    api: Api, run: Run, last: dict[str, object], code: int
):
    api.next_script = Script(steps=[last])

    result = run("run", "busybox")

    assert result.code == code


def test_a_status_that_is_not_known_yet_means_still_working(api: Api, run: Run):
    api.next_script = Script(steps=[{"status": "warming_up"}, *SUCCEEDS], log=[("stdout", b"x")])

    result = run("run", "--progress", "plain", "busybox")

    assert (result.code, result.out) == (0, b"x")
    assert b"warming_up" in result.err


@pytest.mark.parametrize("language", ["en", "zh"])
def test_phases_tell_where_the_job_is_and_for_how_long(api: Api, run: Run, language: str):
    api.next_script = Script(steps=SUCCEEDS)

    result = run("run", "--progress", "plain", "busybox", WHARFAGE_LANG=language)

    told = result.err.decode()
    wanted = {
        "en": ["queued", "a host with room has been rung", "claimed by host alpha", "running",
               "succeeded", "exit code 0", "CNY 0.03"],
        "zh": ["排队中", "已通知有空位的主机", "已由主机 alpha 领取", "运行中", "成功", "CNY 0.03"],
    }  # fmt: skip
    places = [told.index(text) for text in wanted[language]]
    assert places == sorted(places)
    assert re.search(r"\s[0-9]+\.[0-9]s\s", told)


def test_phases_are_not_mixed_into_stderr_where_no_terminal_is(run: Run):
    result = run("run", "busybox")

    assert result.err == b""


def test_every_failure_of_ours_is_125(api: Api, run: Run):
    codes = [
        run("run", "--no-such-option", "busybox").code,
        run("run", "too-dear").code,
        run("run", "Bad").code,
        run("run", "busybox", WHARFAGE_TOKEN="wrong").code,
        run("run", "busybox", WHARFAGE_URL="http://127.0.0.1:1").code,
    ]

    assert codes == [125] * 5


def test_a_run_without_the_money_says_how_much_and_what_to_do(run: Run):
    result = run("run", "too-dear")

    told = result.err.decode()
    assert "CNY 1.20 is needed and CNY 0.03 is available" in told
    assert "wharfage topup" in told
    assert "insufficient_funds" in told
    assert "req-1" in told


def test_what_is_asked_for_becomes_the_jobs_spec(api: Api, run: Run, tmp_path: Path):
    variables = tmp_path / "variables"
    variables.write_text("# a comment\nA=1\n\nB=x=y\n")
    options = "--cpu 0.5 --memory 2g --disk 64m --timeout 1h30m --max-cost 1.5 --pool gpu"

    result = run(
        "run", "-d", *options.split(), "--label", "zone=a", "--env", "A=2", "--env", "HERE",
        "--env-file", str(variables), "--entrypoint", "/bin/sh", "busybox:1",
        "--", "-c", "echo -- $A",
        HERE="secret",
    )  # fmt: skip

    assert result.code == 0
    assert result.out.decode().strip() in api.jobs
    assert api.of("POST", "/v1/jobs")[0].body == {
        "image": "busybox:1",
        "command": ["-c", "echo -- $A"],
        "entrypoint": ["/bin/sh"],
        "env": {"A": "2", "B": "x=y", "HERE": "secret"},
        "resources": {"cpu_millis": 500, "memory_mb": 2048, "disk_mb": 64},
        "max_run_s": 5400,
        "max_cost_fen": 150,
        "pool": "gpu",
        "labels": {"zone": "a"},
    }


def test_what_is_not_asked_for_is_left_to_the_api(api: Api, run: Run):
    run("run", "-d", "busybox", "ls", "--all")

    assert api.of("POST", "/v1/jobs")[0].body == {"image": "busybox", "command": ["ls", "--all"]}


def test_a_submit_whose_answer_is_lost_is_repeated_with_its_key_and_makes_one_job(
    api: Api, run: Run
):
    def lose(handler):
        api.answer(api.seen[-1])
        handler.drop()

    api.faults.append(lose)

    result = run("run", "-d", "busybox")

    keys = [seen.headers["idempotency-key"] for seen in api.of("POST", "/v1/jobs")]
    assert result.code == 0
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert len(api.jobs) == 1


def test_an_attempt_that_is_tried_again_is_followed_too(api: Api, run: Run):
    running = {"status": "running", "host": "alpha", "started_at": NOW}
    again = {"status": "queued", "attempt": 2, "host": None}
    steps: list[Json] = [running, again, running | {"attempt": 2}, ended("succeeded", 0)]
    api.next_script = Script(steps=steps, log=[("stdout", b"one try\n")])

    result = run("run", "busybox")

    assert (result.code, result.out) == (0, b"one try\n" * 2)


def test_json_is_a_line_an_event_and_the_last_has_the_exit_code(api: Api, run: Run):
    api.next_script = Script(steps=SUCCEEDS, log=[("stdout", b"\xff\n")])

    result = run("run", "--json", "busybox")

    lines = result.lines
    log = next(line for line in lines if line["type"] == "log")
    assert [line["type"] for line in lines] == ["job", "job", "job", "job", "log", "job", "end"]
    assert (log["stream"], log["offset"], log["data"]) == ("stdout", 0, "/wo=")
    assert lines[-1]["exit_code"] == 0
    assert lines[-1]["job"]["cost_fen"] == 3
    assert result.err == b""


def started(environ: dict[str, str], *arguments: str) -> "subprocess.Popen[bytes]":
    line = [*COMMAND, "run", *arguments]
    return subprocess.Popen(line, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def cancels(api: Api) -> int:
    return sum(seen.path.endswith("/cancel") for seen in api.seen)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_first_interruption_asks_the_api_to_cancel_and_waits(
    api: Api, environ: dict[str, str], sent: signal.Signals
):
    running = {"status": "running", "host": "alpha", "started_at": NOW}
    log = [("stdout", EVERY_BYTE)]
    api.next_script = Script(steps=[], first=running, log=log, part_bytes=10_007, hold=True)
    child = started(environ, "busybox")
    until(lambda: any("cursor" in seen.query for seen in api.seen), what="the log")

    child.send_signal(sent)
    out, err = child.communicate(timeout=20)

    assert (child.returncode, out) == (130, EVERY_BYTE)
    assert cancels(api) == 1
    assert b"cancelling" in err


def test_an_interrupted_wait_in_the_queue_cancels_once_and_exits_130(
    api: Api, environ: dict[str, str]
):
    api.next_script = Script(steps=[{"status": "queued", "waiting_for": WAITING}], hold=True)
    child = started(environ, "busybox")
    until(lambda: any("wait" in seen.query for seen in api.seen), what="the wait")

    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)

    assert child.returncode == 130
    assert cancels(api) == 1
    assert b"cancelling" in err


def test_the_second_interruption_leaves(api: Api, environ: dict[str, str]):
    api.next_script = Script(steps=[{"status": "queued"}], hold=True)
    stays: Callable[[str], object] = lambda job_id: api.jobs[job_id]  # noqa: E731
    api._cancelled = stays  # type: ignore[method-assign,assignment]
    child = started(environ, "busybox")
    until(lambda: any("wait" in seen.query for seen in api.seen), what="the wait")

    child.send_signal(signal.SIGINT)
    until(lambda: cancels(api) == 1, what="the cancel")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)

    assert child.returncode == 130
    assert b"left job_" in err


def test_a_waiting_get_that_is_answered_at_once_does_not_become_a_storm(
    api: Api, environ: dict[str, str], signed_in: Session
):
    api.refuses_waiting = True
    api.next_script = Script(steps=[{"status": "queued"}], hold=True)
    child = started(environ, "busybox")
    until(lambda: any("wait" in seen.query for seen in api.seen), what="the wait")

    before = len(api.seen)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=1.5)
    asked = len(api.seen) - before
    child.kill()
    child.communicate()

    assert asked <= 3


def test_a_job_that_never_began_ends_without_waiting_for_a_log(api: Api, run: Run):
    end = ended("expired", None, reason_code="queue_ttl", reason_class="platform")
    api.next_script = Script(steps=[end])

    result = run("run", "busybox")

    assert result.code == 125
    assert b"no host took it in time" in result.err
    assert not any(seen.path.endswith("/logs") for seen in api.seen)
