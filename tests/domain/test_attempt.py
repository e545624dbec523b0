"""Attempts: ranks in order, and an end for every stop and every reason."""

from itertools import pairwise

import pytest

from wharfage.domain.attempt import (
    REASON_CLASSES,
    STOP_ENDS,
    TERMINAL_RANK,
    AttemptState,
    ReasonClass,
    ReasonCode,
    StopReason,
)

HELD = (
    AttemptState.CLAIMED,
    AttemptState.PREPARING,
    AttemptState.STARTING,
    AttemptState.RUNNING,
    AttemptState.STOPPING,
)
ENDS = (
    AttemptState.SUCCEEDED,
    AttemptState.FAILED,
    AttemptState.TIMED_OUT,
    AttemptState.CANCELLED,
    AttemptState.EXPIRED,
    AttemptState.LOST,
    AttemptState.REJECTED,
)


def test_states_are_written_in_the_order_of_their_ranks() -> None:
    ranks = [state.rank for state in AttemptState]

    assert all(one < other for one, other in pairwise(ranks))


def test_exactly_the_ends_are_terminal() -> None:
    assert tuple(state for state in AttemptState if state.terminal) == ENDS
    assert min(state.rank for state in ENDS) == TERMINAL_RANK


def test_a_host_owns_an_attempt_from_its_claim_to_its_end() -> None:
    assert tuple(state for state in AttemptState if state.held_by_host) == HELD


@pytest.mark.parametrize(
    ("stop", "state", "reason_class"),
    [
        (StopReason.CANCEL, AttemptState.CANCELLED, ReasonClass.USER),
        (StopReason.TIMEOUT, AttemptState.TIMED_OUT, ReasonClass.USER),
        (StopReason.FUNDS, AttemptState.CANCELLED, ReasonClass.POLICY),
        (StopReason.SUSPEND, AttemptState.CANCELLED, ReasonClass.POLICY),
        (StopReason.DRAIN, AttemptState.LOST, ReasonClass.PLATFORM),
        (StopReason.SUPERSEDED, AttemptState.LOST, ReasonClass.PLATFORM),
        (StopReason.DISK, AttemptState.FAILED, ReasonClass.USER),
    ],
)
def test_every_stop_leads_to_its_end(
    stop: StopReason, state: AttemptState, reason_class: ReasonClass
) -> None:
    assert (STOP_ENDS[stop][0], STOP_ENDS[stop][2]) == (state, reason_class)


def test_no_stop_and_no_reason_is_without_an_end_or_somebody_whose_doing_it_was() -> None:
    assert set(STOP_ENDS) == set(StopReason)
    assert set(REASON_CLASSES) == set(ReasonCode)


def test_a_stop_is_nobodys_success_and_agrees_with_the_class_of_its_reason() -> None:
    for state, code, reason_class in STOP_ENDS.values():
        assert state.terminal
        assert state is not AttemptState.SUCCEEDED
        assert REASON_CLASSES[code] is reason_class
