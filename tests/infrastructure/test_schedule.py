"""Schedules: one run in each slot, whoever asks, and a failed run stops nothing."""

from typing import Any

import pytest

from infrastructure.local.schedule import Scheduler, fire
from infrastructure.template import Function, Schedule
from tests.fixtures.edge import HandClock, ports
from tests.fixtures.waiting import until

SCHEDULE = Schedule(name="Sweep", handler="run", every_seconds=60)


class Counted(Function):
    """A function whose handler counts its runs."""

    def load(self, attribute=None):
        assert attribute == "run"
        return lambda event, context: RUNS.append((event, context))


RUNS: list[tuple[Any, Any]] = []


@pytest.fixture
def function():
    RUNS.clear()
    return Counted(
        name="Sweep",
        module="none",
        handler="run",
        timeout_seconds=60,
        routes=(),
        schedules=(SCHEDULE,),
    )


def test_a_slot_is_fired_once_and_the_next_again(function):
    clock = HandClock()
    world = ports(clock)
    handler = function.load("run")

    fired = [fire(world, function, SCHEDULE, handler, every_seconds=2) for _ in range(3)]
    clock.pass_(seconds=2)
    again = fire(world, function, SCHEDULE, handler, every_seconds=2)

    assert (fired, again) == ([True, False, False], True)
    event, context = RUNS[0]
    assert (event["detail-type"], len(RUNS)) == ("Scheduled Event", 2)
    assert context.function_name == "Sweep"


def test_a_run_that_fails_is_said_and_the_next_slot_comes(function, caplog):
    clock = HandClock()
    world = ports(clock)

    def fail(event, context):
        raise RuntimeError("inside")

    assert not fire(world, function, SCHEDULE, fail, every_seconds=2)
    clock.pass_(seconds=2)
    assert fire(world, function, SCHEDULE, function.load("run"), every_seconds=2)
    assert [record.message for record in caplog.records] == ["run failed"]


def test_a_scheduler_fires_by_itself_and_stops(function):
    scheduler = Scheduler([function], ports(), every_seconds_max=1)

    scheduler.start()
    until(lambda: len(RUNS) == 1, what="the first run")
    scheduler.stop()

    assert len(RUNS) == 1
