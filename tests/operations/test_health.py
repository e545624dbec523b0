"""Health: each part as it is."""

from dataclasses import replace

import pytest

from tests.fixtures.edge import HandClock, ports
from wharfage.adapters.store import RecordStore
from wharfage.domain import limits
from wharfage.domain.errors import Unavailable
from wharfage.operations import health, sweep


class Away(RecordStore):
    """A store that does not answer."""

    def __init__(self) -> None:
        """Have no rows."""

    def get(self, key):
        raise Unavailable


@pytest.mark.parametrize(
    ("seconds", "condition"),
    [(0, "ok"), (limits.SWEEP_LATE_SECONDS, "ok"), (limits.SWEEP_LATE_SECONDS + 1, "late")],
)
def test_a_sweep_that_has_not_run_for_long_is_late(seconds, condition):
    clock = HandClock()
    world = ports(clock)
    sweep.sweep(world)

    clock.pass_(seconds=seconds)

    found = health.check(world)
    assert (found.status, found.sweep, found.sweep_age_seconds) == (condition, condition, seconds)


def test_a_store_that_does_not_answer_is_away():
    found = health.check(replace(ports(), store=Away()))

    assert (found.status, found.store, found.sweep) == ("away", "away", "unknown")
