"""The plan of a run: the same for the same seed, over in time, and with room for a silence."""

import itertools

import pytest

from tests.chaos import plan, work
from tests.chaos.plan import FaultKind

SEEDS = range(20)
TEN_MINUTES = 600.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_always_makes_the_same_plan(seed):
    assert plan.faults(seed, TEN_MINUTES) == plan.faults(seed, TEN_MINUTES)
    assert work.jobs(seed, 60, 50, [30.0]) == work.jobs(seed, 60, 50, [30.0])


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_minutes_hold_every_kind_of_fault(seed):
    assert {fault.kind for fault in plan.faults(seed, TEN_MINUTES)} == set(FaultKind)


@pytest.mark.parametrize("seconds", [60.0, TEN_MINUTES])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_fault_is_over_when_the_run_is(seed, seconds):
    assert all(0 < each.at <= each.at + each.seconds <= seconds for each in _drawn(seed, seconds))


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_of_one_lane_come_one_after_another(seed):
    for lane in {fault.lane for fault in _drawn(seed, TEN_MINUTES)}:
        faults = [fault for fault in _drawn(seed, TEN_MINUTES) if fault.lane == lane]

        for before, after in itertools.pairwise(faults):
            assert before.at + before.seconds <= after.at


@pytest.mark.parametrize("seed", SEEDS)
def test_the_control_plane_is_whole_while_a_host_is_silent(seed):
    faults = _drawn(seed, TEN_MINUTES)
    silences = [fault for fault in faults if fault.kind is FaultKind.SILENCE]
    control = [fault for fault in faults if fault.lane == plan.CONTROL]

    assert len(silences) == 2
    for silence in silences:
        ends = silence.at + silence.seconds
        assert not [f for f in control if f.at < ends and f.at + f.seconds > silence.at]


def test_every_kind_of_job_is_among_enough_of_them():
    drawn = work.jobs(1, TEN_MINUTES, 550, [100.0])

    assert {each.kind for each in drawn} == {*work._KINDS, "long"}
    assert {each.customer for each in drawn} == set(range(work.CUSTOMERS))


def _drawn(seed, seconds):
    return plan.faults(seed, seconds)
