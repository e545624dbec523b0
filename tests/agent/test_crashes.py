"""The core across its own deaths: nothing is lost, doubled or left behind."""

import random
from pathlib import Path

import pytest

from tests.agent.fake_cloud import Work
from tests.agent.fakes import Program, grant
from tests.agent.world import POLICY, World
from wharfage.domain.attempt import AttemptState, ReasonCode
from wharfage.domain.price import Resources
from wharfage.domain.spec import JobSpec, OnHostLost
from wharfage_agent import containers
from wharfage_agent.attempts import Key
from wharfage_agent.attempts import Work as Held
from wharfage_agent.errors import CloudAway, EngineAway

SMALL = Resources(cpu_millis=100, memory_mb=16, disk_mb=16)


def spec(**changes: object) -> JobSpec:
    given = {"image": "local/demo:1", "command": ("true",), "resources": SMALL, **changes}
    return JobSpec(**given)  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def finish(world: World, work: Work) -> None:
    world.until(lambda: work.terminal is not None and world.container(work.job) is None)


def test_a_running_container_is_adopted_by_the_next_life(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=40, exit_code=7)
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)

    world.crash()
    finish(world, work)

    assert work.terminal is not None
    assert (work.state, work.terminal.exit_code) == (AttemptState.FAILED, 7)
    assert world.engine.starts == {f"wharfage-{work.job}-1": 1}


def test_a_result_that_came_while_the_agent_was_dead_is_reported(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=5, exit_code=7)
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)

    world.clock.seconds += 30
    world.engine.pass_time()
    world.crash()
    finish(world, work)

    assert work.terminal is not None
    assert (work.terminal.exit_code, work.terminal.run_ms) == (7, 30_000)


def test_a_created_container_of_an_earlier_life_is_never_started(world: World) -> None:
    def die_before_start(call: str, done: bool) -> None:
        if call == "start":
            raise SystemExit

    world.engine.fault = die_before_start
    work = world.control.submit(spec())
    with pytest.raises(SystemExit):
        world.until(lambda: False)
    world.engine.fault = lambda call, done: None
    died_at = world.clock.seconds

    world.crash()
    finish(world, work)

    assert world.clock.seconds - died_at >= POLICY.settle_seconds
    assert work.terminal is not None
    assert (work.state, work.terminal.reason_code, work.terminal.started) == (
        AttemptState.REJECTED,
        ReasonCode.NOT_STARTED,
        False,
    )
    assert world.engine.starts == {}


def test_a_start_that_lands_after_the_agent_died_is_adopted(world: World) -> None:
    def die_after_start(call: str, done: bool) -> None:
        if call == "start" and done:
            raise SystemExit

    world.engine.fault = die_after_start
    world.engine.program = lambda _: Program(seconds=20)
    work = world.control.submit(spec())
    with pytest.raises(SystemExit):
        world.until(lambda: False)
    world.engine.fault = lambda call, done: None

    world.crash()
    finish(world, work)

    assert work.state is AttemptState.SUCCEEDED
    assert world.engine.starts == {f"wharfage-{work.job}-1": 1}


def test_a_stop_that_an_earlier_life_began_keeps_its_reason(world: World) -> None:
    world.engine.program = lambda _: Program(seconds=1000, heeds_term=False)
    work = world.control.submit(spec(stop_grace_s=20))
    world.until(lambda: work.state is AttemptState.RUNNING)
    world.control.stop(work)
    world.until(lambda: work.state is AttemptState.STOPPING)

    world.crash()
    finish(world, work)

    assert work.state is AttemptState.CANCELLED


def test_an_exit_after_term_is_a_stop_though_the_agent_died_between(world: World) -> None:
    def die_after_term(call: str, done: bool) -> None:
        if call == "signal" and done:
            raise SystemExit

    world.engine.program = lambda _: Program(seconds=1000)
    world.engine.fault = die_after_term
    work = world.control.submit(spec())
    world.until(lambda: work.state is AttemptState.RUNNING)
    world.control.stop(work)
    with pytest.raises(SystemExit):
        world.until(lambda: False)
    world.engine.fault = lambda call, done: None
    work.stop = None  # It has to be known without being told again.

    world.crash()
    finish(world, work)

    assert work.terminal is not None
    assert (work.state, work.terminal.exit_code) == (AttemptState.CANCELLED, 143)


def test_a_claim_that_an_earlier_life_did_nothing_for_is_handed_back(world: World) -> None:
    def die_before_create(call: str, done: bool) -> None:
        if call == "create":
            raise SystemExit

    world.engine.fault = die_before_create
    work = world.control.submit(spec())
    with pytest.raises(SystemExit):
        world.until(lambda: False)
    world.engine.fault = lambda call, done: None

    world.crash()
    finish(world, work)

    assert work.terminal is not None
    assert (work.state, work.terminal.reason_code) == (
        AttemptState.REJECTED,
        ReasonCode.NOT_STARTED,
    )


def test_an_accepted_end_whose_answer_was_lost_is_told_again_in_the_same_words(
    world: World,
) -> None:
    def die_after_the_end(call: str, done: bool) -> None:
        if call == "reports" and done and work.terminal is not None:
            raise SystemExit

    world.control.fault = die_after_the_end
    work = world.control.submit(spec())
    with pytest.raises(SystemExit):
        world.until(lambda: False)
    world.control.fault = lambda call, done: None

    world.crash()
    world.until(lambda: world.container(work.job) is None and not world.life.worker.busy)

    assert world.control.outcomes[-1] == "repeated"
    assert "stale_claim" not in world.control.outcomes


def test_a_container_of_the_same_name_from_elsewhere_is_neither_started_nor_removed(
    world: World,
) -> None:
    world.until(lambda: bool(world.control.beats))
    work = world.control.submit(spec())
    strange = world.engine.create(Key(work.job, 1).container, {"Labels": {}})

    world.until(lambda: work.terminal is not None)

    assert work.state is AttemptState.REJECTED
    assert world.engine.starts == {}
    assert world.engine.inspect(strange.id) is not None


def test_a_leftover_met_only_at_create_is_not_started(world: World) -> None:
    world.until(lambda: bool(world.control.beats))
    work = world.control.submit(spec())
    labels = containers.labels(Held.of(grant(job=work.job)), host="hst_0001", boot="bot_dead")
    world.engine.create(Key(work.job, 1).container, {"Labels": labels})

    finish(world, work)

    assert work.state is AttemptState.REJECTED
    assert world.engine.starts == {}


def test_a_container_of_this_life_that_has_run_already_is_not_run_again(world: World) -> None:
    world.until(lambda: bool(world.control.beats))
    work = world.control.submit(spec())
    boot = world.control.beats[-1].boot
    labels = containers.labels(Held.of(grant(job=work.job)), host="hst_0001", boot=boot)
    ran = world.engine.create(Key(work.job, 1).container, {"Labels": labels})
    world.engine.start(ran.id)
    world.clock.seconds += 5
    world.engine.pass_time()

    finish(world, work)

    assert work.state is AttemptState.SUCCEEDED
    assert list(world.engine.starts.values()) == [1]


@pytest.mark.parametrize("seed", range(150))
def test_nothing_is_lost_or_doubled_whatever_fails_and_crashes(tmp_path: Path, seed: int) -> None:
    """Calls fail before or after they are done; the agent dies anywhere, again and again."""
    chance = random.Random(seed)
    world = World(tmp_path)
    world.engine.program = lambda _: Program(
        seconds=chance.choice((0.0, 1.0, 30.0)),
        exit_code=chance.choice((0, 3)),
        heeds_term=chance.random() < 0.7,
    )
    works = [
        world.control.submit(spec(stop_grace_s=5, max_run_s=60, on_host_lost=OnHostLost.WAIT))
        for _ in range(12)
    ]

    def engine_fault(call: str, done: bool) -> None:
        if chance.random() < 0.03:
            raise SystemExit
        if chance.random() < 0.06:
            raise EngineAway("lost")

    def cloud_fault(call: str, done: bool) -> None:
        if chance.random() < 0.02:
            raise SystemExit
        if chance.random() < 0.1:
            raise CloudAway("lost")

    world.engine.fault, world.control.fault = engine_fault, cloud_fault
    for _ in range(120):
        try:
            world.pass_time(chance.choice((0.2, 1.0, 5.0)))
        except SystemExit:
            world.crash()
        if chance.random() < 0.05:
            world.control.stop(chance.choice(works))
    world.engine.fault = world.control.fault = lambda call, done: None
    world.until(lambda: all(work.state.terminal for work in works))
    world.until(lambda: not world.engine.boxes and not world.life.worker.busy, within=1500)

    assert all(count == 1 for count in world.engine.starts.values())
    for work in works:
        started = f"wharfage-{work.job}-1" in world.engine.starts
        assert work.terminal is None or work.terminal.started == started
