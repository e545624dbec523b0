"""The core among simulators: what it does with work, stops, losses and crashes."""

from pathlib import Path

import pytest

from tests.agent.fake_cloud import Work
from tests.agent.fakes import DIGEST, Program, grant
from tests.agent.world import POLICY, World
from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason
from wharfage.domain.price import Resources
from wharfage.domain.spec import JobSpec, OnHostLost
from wharfage.messages import Assigned, AssignmentsReply, Candidate
from wharfage_agent.errors import CloudAway, EngineRefused
from wharfage_agent.policy import Policy

SMALL = Resources(cpu_millis=100, memory_mb=16, disk_mb=16)


def spec(**changes: object) -> JobSpec:
    given = {"image": "local/demo:1", "command": ("true",), "resources": SMALL, **changes}
    return JobSpec(**given)  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def finish(world: World, work: Work) -> None:
    world.until(lambda: work.terminal is not None and world.container(work.job) is None)


def test_a_job_is_started_once_reported_and_removed(world: World) -> None:
    work = world.control.submit(spec())

    finish(world, work)

    assert work.state is AttemptState.SUCCEEDED
    assert work.terminal is not None
    assert work.terminal.started
    assert work.terminal.image_digest == DIGEST
    assert world.engine.starts == {f"wharfage-{work.job}-1": 1}
    assert not world.engine.boxes
    assert not world.life.worker.busy
    assert not world.control.bells


@pytest.mark.parametrize(
    ("program", "state", "reason", "signal"),
    [
        (Program(exit_code=3), AttemptState.FAILED, ReasonCode.EXIT_CODE, None),
        (Program(exit_code=137), AttemptState.FAILED, ReasonCode.EXIT_CODE, 9),
        (Program(exit_code=137, oom=True), AttemptState.FAILED, ReasonCode.OUT_OF_MEMORY, 9),
        (Program(exit_code=0, oom=True), AttemptState.FAILED, ReasonCode.OUT_OF_MEMORY, None),
        (Program(exit_code=127), AttemptState.FAILED, ReasonCode.COMMAND_NOT_FOUND, None),
    ],
)
def test_an_exit_is_reported_as_what_it_was(
    world: World, program: Program, state: AttemptState, reason: ReasonCode, signal: int | None
) -> None:
    world.engine.program = lambda _: program
    work = world.control.submit(spec())

    finish(world, work)

    assert work.terminal is not None
    told = (work.state, work.terminal.reason_code, work.terminal.exit_code, work.terminal.signal)
    assert told == (state, reason, program.exit_code, signal)


def test_more_work_than_slots_waits_and_all_of_it_is_done(world: World) -> None:
    works = [world.control.submit(spec()) for _ in range(30)]

    world.until(lambda: all(work.terminal is not None for work in works))

    assert {work.state for work in works} == {AttemptState.SUCCEEDED}
    assert max(beat.capacity.slots for beat in world.control.beats) == 8


def test_a_cancelled_job_is_sent_term_and_keeps_the_reason(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=1000)
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)

    world.control.stop(work)
    finish(world, work)

    assert work.terminal is not None
    assert (work.state, work.terminal.exit_code) == (AttemptState.CANCELLED, 143)
    assert work.terminal.stop_reason is StopReason.CANCEL


def test_a_job_that_ignores_term_is_killed_after_its_grace(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=1000, heeds_term=False)
    work = world.control.submit(spec(stop_grace_s=20))
    world.until(lambda: work.state is AttemptState.RUNNING)
    world.control.stop(work)
    world.until(lambda: work.state is AttemptState.STOPPING)
    asked_at = world.clock.seconds

    finish(world, work)

    assert 20 <= world.clock.seconds - asked_at <= 30
    assert work.terminal is not None
    assert work.terminal.exit_code == 137


def test_a_job_that_ran_too_long_is_timed_out(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=1000)
    work = world.control.submit(spec(max_run_s=5))

    finish(world, work)

    assert work.state is AttemptState.TIMED_OUT
    assert work.terminal is not None
    assert work.terminal.run_ms is not None
    assert 5000 <= work.terminal.run_ms <= 7000


def test_an_exit_before_term_keeps_its_own_result(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=5, exit_code=0)
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)

    world.clock.seconds += 5
    world.engine.pass_time()
    world.engine.happened.clear()  # The stop is heard of before the exit.
    world.control.stop(work)
    finish(world, work)

    assert work.state is AttemptState.SUCCEEDED


def test_a_job_stops_itself_when_the_lease_is_lost(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=1000)
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)

    def silence(call: str, done: bool) -> None:
        raise CloudAway("cut")

    world.control.fault = silence
    world.until(lambda: world.container(work.job) in (None, "exited"), within=60)
    world.control.fault = lambda call, done: None
    finish(world, work)

    assert work.state is AttemptState.LOST


def test_work_that_waits_for_its_host_survives_a_lost_lease(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=200)
    work = world.control.submit(spec(on_host_lost=OnHostLost.WAIT))
    world.until(lambda: work.state is AttemptState.RUNNING)

    def silence(call: str, done: bool) -> None:
        raise CloudAway("cut")

    world.control.fault = silence
    for _ in range(100):
        world.pass_time()
    still_running = world.container(work.job)
    world.control.fault = lambda call, done: None
    finish(world, work)

    assert still_running == "running"
    assert work.state is AttemptState.SUCCEEDED


def test_a_stale_claim_is_stopped_and_removed_without_another_report(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=1000)
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)

    work.state = AttemptState.LOST
    world.until(lambda: world.container(work.job) is None)

    assert work.reports[-1].state is AttemptState.RUNNING
    assert not world.life.worker.busy


def test_a_report_that_is_answered_as_stale_ends_the_work_without_a_comparison(
    world: World,
) -> None:
    cut = {"assignments", "reports"}

    def away(call: str, done: bool) -> None:
        if call in cut:
            raise CloudAway("cut")

    world.control.fault = away
    world.engine.program = lambda _: Program(seconds=1000)
    work = world.control.submit(spec())
    world.until(lambda: bool(world.engine.starts))
    work.state = AttemptState.LOST
    cut.remove("reports")

    world.until(lambda: not world.life.worker.busy)

    assert not world.engine.boxes
    assert work.terminal is None


def test_what_was_claimed_after_the_question_is_not_judged_by_its_answer(world: World) -> None:
    world.until(lambda: bool(world.control.beats))
    asked_at = world.clock.monotonic()
    world.life.worker.accept([grant()], sent_at=asked_at + 1)

    world.life.worker.apply(AssignmentsReply(wanted=0, assignments=()), asked_at=asked_at)
    world.life.tasks.run()

    assert world.life.worker.running == 1


@pytest.mark.parametrize(("stop", "asked"), [(None, 1), (StopReason.CANCEL, 0)])
def test_what_this_host_should_hold_and_does_not_have_is_asked_for(
    world: World, stop: StopReason | None, asked: int
) -> None:
    wanted = Assigned(
        account="acc_0001", job="job_0001", attempt=1, claim_id="clm_0001", stop_reason=stop
    )

    missing = world.life.worker.apply(
        AssignmentsReply(wanted=1, assignments=(wanted,)), asked_at=world.clock.monotonic()
    )

    assert missing == [Candidate(account="acc_0001", job="job_0001", attempt=1)] * asked


def test_draining_hands_back_what_has_not_started_and_finishes_what_has(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=20)
    running = world.control.submit(spec())
    world.until(lambda: running.state is AttemptState.RUNNING)

    world.life.worker.draining = True
    later = world.control.submit(spec())
    finish(world, running)

    assert running.state is AttemptState.SUCCEEDED
    assert later.state is AttemptState.QUEUED


def test_a_lost_answer_to_a_claim_loses_no_work(world: World) -> None:
    lost = iter([True])

    def lose_first(call: str, done: bool) -> None:
        if call == "claims" and done and next(lost, False):
            raise CloudAway("the answer was lost")

    world.control.fault = lose_first
    work = world.control.submit(spec())

    finish(world, work)

    assert work.state is AttemptState.SUCCEEDED
    assert len(world.engine.starts) == 1


def test_a_job_outside_the_hosts_policy_is_handed_back(tmp_path: Path) -> None:
    world = World(tmp_path, policy=Policy(allowed_registries=("registry.example",)))
    work = world.control.submit(spec())

    finish(world, work)

    assert work.terminal is not None
    assert (work.state, work.terminal.reason_code) == (
        AttemptState.REJECTED,
        ReasonCode.HOST_POLICY,
    )
    assert world.engine.starts == {}


def test_an_image_is_pulled_once_by_digest_and_not_again(world: World) -> None:
    works = [world.control.submit(spec(image="registry.example/a:1")) for _ in range(3)]

    world.until(lambda: all(work.terminal is not None for work in works))

    assert world.engine.pulls == [f"registry.example/a@{DIGEST}"]


def test_an_image_that_is_not_there_fails_the_job(world: World) -> None:
    def unknown(call: str, done: bool) -> None:
        if call == "pull":
            raise EngineRefused(ReasonCode.IMAGE_NOT_FOUND, "manifest unknown")

    world.engine.fault = unknown
    work = world.control.submit(spec(image="registry.example/none:1"))

    finish(world, work)

    assert work.terminal is not None
    assert (work.state, work.terminal.reason_code) == (
        AttemptState.FAILED,
        ReasonCode.IMAGE_NOT_FOUND,
    )


def test_a_host_low_on_disk_claims_nothing(world: World) -> None:
    world.engine.disk_free = POLICY.disk_reserve_mb
    work = world.control.submit(spec())

    for _ in range(30):
        world.pass_time()

    assert work.state is AttemptState.QUEUED
    assert world.control.beats[-1].problem == "disk_low"


def test_an_attempt_over_its_disk_is_stopped(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=1000)
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)

    world.life.worker.learn(next(iter(world.life.worker._slots)), disk_used_mb=17)
    finish(world, work)

    assert work.terminal is not None
    assert work.terminal.reason_code is ReasonCode.DISK_EXCEEDED


def test_a_claim_that_is_answered_late_starts_nothing_that_has_ended_here(world: World) -> None:
    work = world.control.submit(spec())
    asked_at = world.clock.monotonic()
    finish(world, work)
    world.until(lambda: not world.life.worker.busy)

    world.life.worker.accept([grant(job=work.job)], sent_at=asked_at)
    world.life.tasks.run()

    assert world.engine.starts == {f"wharfage-{work.job}-1": 1}
    assert not world.life.worker.busy


def test_what_is_given_up_is_removed_and_not_reported(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=1000)
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)

    world.life.worker.disown()
    world.until(lambda: not world.life.worker.busy)

    assert not world.engine.boxes
    assert work.terminal is None


def test_an_end_that_was_heard_of_late_is_measured_by_the_engine(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=2)
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)

    for _ in range(3):  # The agent is frozen; its engine is not.
        world.clock.seconds += 1
        world.engine.pass_time()
    world.clock.seconds += 40
    finish(world, work)

    assert work.terminal is not None
    assert work.terminal.run_ms is not None
    assert work.terminal.run_ms <= 4000


@pytest.mark.parametrize(
    ("came_back_in_time", "code", "reason", "told"),
    [
        (False, 255, ReasonCode.ENGINE_ERROR, None),  # The engine's word for not knowing.
        (True, 255, ReasonCode.EXIT_CODE, 255),
        (False, 3, ReasonCode.EXIT_CODE, 3),
    ],
)
def test_an_exit_that_nobody_saw_is_not_held_against_the_program(
    world: World, came_back_in_time: bool, code: int, reason: ReasonCode, told: int | None
) -> None:
    world.engine.program = lambda name: Program(seconds=20, exit_code=code)
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)

    world.life.worker.engine_lost()
    world.clock.seconds += 1 if came_back_in_time else 20
    world.engine.pass_time()
    world.life.worker.sweep()
    finish(world, work)

    assert work.terminal is not None
    assert (work.terminal.reason_code, work.terminal.exit_code) == (reason, told)
    assert work.terminal.started
