"""Files of an attempt: put in before the start, brought after the end, and never in the way."""

from pathlib import Path
from typing import Any

import pytest

from tests.agent.fakes import Program
from tests.agent.world import World
from tests.fixtures.objects import sha256
from wharfage.domain.attempt import AttemptState, ReasonCode
from wharfage.domain.limits import LOG_LATE_SECONDS
from wharfage.domain.output import MissingReason
from wharfage.domain.price import Resources
from wharfage.domain.spec import JobSpec
from wharfage_agent.errors import CloudAway, EngineAway, FilesAway, FilesRefused

OUT, LOG = "/wharfage/out", "/wharfage/log"
IN = "https://files/in"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def spec(**changes: Any) -> JobSpec:
    return JobSpec(image="local/demo:1", command=("true",), **changes)


def leaving(world: World, **files: bytes | None) -> None:
    left = {f"/wharfage/{name}": data for name, data in files.items()}
    world.engine.program = lambda _: Program(seconds=5, leaves=left)


def box(world: World) -> dict[str, bytes | None]:
    [found] = world.engine.boxes.values()
    return found.files


def test_input_and_files_are_in_the_volume_before_the_start(world: World):
    world.transfers.kept[IN] = b"a file"
    work = world.control.submit(spec(input={"a": 0.5}, files={"a.bin": IN}))

    world.until(lambda: work.state is AttemptState.RUNNING)

    assert box(world) == {
        "/wharfage/input.json": b'{"a":0.5}', "/wharfage/inputs/a.bin": b"a file",
    }  # fmt: skip


def test_a_job_without_input_is_not_held_up_by_any(world: World):
    calls: list[str] = []
    world.engine.fault = lambda call, done: calls.append(call)
    work = world.control.submit(spec())

    world.until(lambda: work.complete or work.terminal is not None)

    assert "put_files" not in calls
    assert "open_file" not in calls


def test_files_that_are_slow_to_come_are_asked_for_again(world: World):
    world.transfers.kept[IN] = b"a file"
    failures = iter([FilesAway("silent")] * 3)

    def fail(call: str, url: str) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure

    world.transfers.fault = fail
    work = world.control.submit(spec(files={"a": IN}))

    world.until(lambda: work.state is AttemptState.RUNNING, within=60)

    assert box(world)["/wharfage/inputs/a"] == b"a file"


@pytest.mark.parametrize("kept", [None, b"shorter", b"longer than was announced", b"anothers"])
def test_a_file_that_is_not_there_or_not_what_it_should_be_ends_the_attempt_before_its_start(
    world: World, kept: bytes | None
):
    world.transfers.kept[IN] = b"announce"

    def spoil(call: str, url: str) -> None:
        if kept is None:
            raise FilesRefused("the answer is 404")
        world.transfers.kept[IN] = kept

    world.transfers.fault = spoil
    work = world.control.submit(spec(files={"a": IN}))

    world.until(lambda: work.terminal is not None)

    assert work.terminal is not None
    assert (work.state, work.terminal.reason_code, work.terminal.started) == (
        AttemptState.FAILED, ReasonCode.INPUT_FAILED, False,
    )  # fmt: skip
    assert world.engine.starts == {}
    world.until(lambda: not world.engine.boxes)


def test_files_that_never_come_end_the_attempt_at_the_limit_of_its_preparation(world: World):
    def silent(call: str, url: str) -> None:
        raise FilesAway("silent")

    world.transfers.fault = silent
    work = world.control.submit(spec(files={"a": IN}))

    world.until(lambda: work.terminal is not None, within=1000)

    assert work.terminal is not None
    assert work.terminal.reason_code is ReasonCode.INPUT_FAILED
    assert world.engine.starts == {}


def test_an_agent_that_dies_while_it_fills_starts_nothing(world: World):
    world.transfers.kept[IN] = b"a file"

    def die(call: str, done: bool) -> None:
        if call == "put_files":
            raise SystemExit

    world.engine.fault = die
    work = world.control.submit(spec(files={"a": IN}))
    with pytest.raises(SystemExit):
        world.until(lambda: work.terminal is not None)
    world.engine.fault = lambda call, done: None

    world.crash()
    world.until(lambda: work.terminal is not None)

    assert work.terminal is not None
    assert work.terminal.reason_code is ReasonCode.NOT_STARTED
    assert world.engine.starts == {}
    world.until(lambda: not world.engine.boxes)


def test_what_was_left_is_brought_and_then_the_container_is_removed(world: World):
    leaving(world, out=b"a picture", log=b"")
    work = world.control.submit(spec(outputs=(OUT, LOG)))

    world.until(lambda: not world.engine.boxes and work.terminal is not None)

    assert work.state is AttemptState.SUCCEEDED
    assert work.settled is not None
    assert [(each.path, each.sha256) for each in work.settled.found] == [
        (OUT, sha256(b"a picture")), (LOG, sha256(b"")),
    ]  # fmt: skip
    assert world.transfers.kept[f"https://files/{work.job}{OUT}"] == b"a picture"


def test_outputs_that_cannot_be_had_are_told_with_their_reasons(world: World):
    leaving(world, folder=None, large=bytes(1024 * 1024), small=b"1")
    small = Resources(cpu_millis=100, memory_mb=8, disk_mb=1)
    paths = ("/wharfage/folder", "/wharfage/none", "/wharfage/large", "/wharfage/small")
    work = world.control.submit(spec(outputs=paths, resources=small))

    world.until(lambda: work.settled is not None)

    assert work.settled is not None
    assert [each.path for each in work.settled.found] == ["/wharfage/large"]
    assert {each.path: each.reason for each in work.settled.lacked} == {
        "/wharfage/folder": MissingReason.NOT_A_FILE,
        "/wharfage/none": MissingReason.NOT_FOUND,
        "/wharfage/small": MissingReason.TOO_LARGE,
    }


def test_the_report_of_the_end_does_not_wait_for_outputs(world: World):
    leaving(world, out=b"a picture")

    def silent(call: str, url: str) -> None:
        raise FilesAway("silent")

    world.transfers.fault = silent
    work = world.control.submit(spec(outputs=(OUT,)))
    world.until(lambda: work.state is AttemptState.RUNNING)

    world.until(lambda: work.terminal is not None, within=7)

    assert work.state is AttemptState.SUCCEEDED
    assert work.settled is None
    assert world.container(work.job) == "exited"


def test_a_container_whose_outputs_never_arrive_is_removed_after_a_while_all_the_same(
    world: World,
):
    leaving(world, out=b"a picture")

    def silent(call: str, url: str) -> None:
        raise FilesAway("silent")

    world.transfers.fault = silent
    work = world.control.submit(spec(outputs=(OUT,)))

    world.until(lambda: work.terminal is not None)
    world.pass_time(LOG_LATE_SECONDS - 60)
    held = world.container(work.job)
    world.until(lambda: not world.engine.boxes, within=200)

    assert held == "exited"
    assert work.settled is None


def test_an_output_that_is_refused_again_and_again_is_a_warning_and_the_others_arrive(
    world: World,
):
    leaving(world, out=b"a picture", log=b"a log")

    def refuse(call: str, url: str) -> None:
        if url.endswith("/out"):
            raise FilesRefused("the answer is 403")

    world.transfers.fault = refuse
    work = world.control.submit(spec(outputs=(OUT, LOG)))

    world.until(lambda: work.settled is not None)

    assert work.settled is not None
    assert [each.path for each in work.settled.found] == [LOG]
    assert [each.reason for each in work.settled.lacked] == [MissingReason.UPLOAD_FAILED]


def test_a_link_that_ran_out_is_replaced_by_a_new_one(world: World):
    leaving(world, out=b"a picture")
    refusals = iter([FilesRefused("the answer is 403")] * 2)

    def refuse(call: str, url: str) -> None:
        if (refusal := next(refusals, None)) is not None:
            raise refusal

    world.transfers.fault = refuse
    work = world.control.submit(spec(outputs=(OUT,)))

    world.until(lambda: work.settled is not None)

    assert work.settled is not None
    assert not work.settled.lacked


@pytest.mark.parametrize("error", [CloudAway("away"), EngineAway("away")])
def test_a_control_plane_or_an_engine_that_goes_away_meanwhile_is_waited_for(
    world: World, error: Exception
):
    leaving(world, out=b"a picture")
    failures = iter([error] * 5)

    def fail(call: str, done: bool) -> None:
        wanted = "outputs" if isinstance(error, CloudAway) else "open_file"
        if call == wanted and (failure := next(failures, None)) is not None:
            raise failure

    world.control.fault = world.engine.fault = fail
    work = world.control.submit(spec(outputs=(OUT,)))

    world.until(lambda: work.settled is not None, within=300)

    assert work.state is AttemptState.SUCCEEDED


@pytest.mark.parametrize("call", ["outputs", "send", "open_file"])
@pytest.mark.parametrize("done", [False, True])
def test_an_agent_that_dies_while_it_brings_outputs_brings_them_in_its_next_life(
    world: World, call: str, done: bool
):
    leaving(world, out=b"a picture")
    deaths = iter([None])

    def die(at: str, after: Any) -> None:
        if at == call and after in (done, f"https://files/{work.job}{OUT}"):
            for _ in deaths:
                raise SystemExit

    world.control.fault = world.engine.fault = world.transfers.fault = die
    work = world.control.submit(spec(outputs=(OUT,)))
    try:
        world.until(lambda: work.settled is not None and not world.engine.boxes, within=60)
    except SystemExit:
        world.crash()

    world.until(lambda: work.settled is not None and not world.engine.boxes)

    assert work.state is AttemptState.SUCCEEDED
    assert work.settled is not None
    assert not work.settled.lacked
    assert world.engine.starts == {f"wharfage-{work.job}-1": 1}


def test_outputs_of_a_claim_that_is_stale_are_not_brought(world: World):
    leaving(world, out=b"a picture")
    work = world.control.submit(spec(outputs=(OUT,)))
    world.until(lambda: work.state is AttemptState.RUNNING)
    work.claim = None

    world.until(lambda: not world.engine.boxes)

    assert work.settled is None
    assert not world.transfers.kept


def test_an_adopted_container_of_an_agent_that_knew_no_outputs_has_none():
    from tests.agent.fakes import grant
    from wharfage_agent import containers
    from wharfage_agent.attempts import Work

    work = Work.of(grant(spec=spec(outputs=(OUT, LOG))))
    found = containers.labels(work, host="hst_1", boot="bot_1")
    old = {name: value for name, value in found.items() if name != "wharfage.outputs"}

    assert containers.work_of(found) == work
    assert work.output_paths == (OUT, LOG)
    adopted = containers.work_of(old)
    assert adopted is not None
    assert adopted.output_paths == ()
    assert containers.work_of({}) is None
