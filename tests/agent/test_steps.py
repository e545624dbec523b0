"""The pure decision: whatever is seen, in whatever order, some things never happen."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.fakes import DIGEST, EPOCH, grant
from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason
from wharfage_agent.attempts import Absent, Attempt, Container, Facts, Image, Phase, Work
from wharfage_agent.steps import Act, TellEnd, advance

SETTLE = 30.0
WORK = Work.of(grant())
IMAGE = Image(reference="x", digest=DIGEST, user="")


def container(status: str, **changes: object) -> Container:
    given_ = {"id": "c1", "name": WORK.key.container, "status": status, "labels": {}, **changes}
    return Container(**given_)  # type: ignore[arg-type]


CREATED = container("created")
RUNNING = container("running", started_at=EPOCH)
EXITED = container("exited", started_at=EPOCH, finished_at=EPOCH, exit_code=0)


def attempt(phase: Phase, **changes: object) -> Attempt:
    given_ = {
        "work": WORK,
        "phase": phase,
        "since": 0.0,
        "preparing_seconds": 900,
        "starting_seconds": 120,
        **changes,
    }
    return Attempt(**given_)  # type: ignore[arg-type]


def facts(**changes: object) -> Facts:
    return replace(Facts(now=1.0, today=EPOCH), **changes)  # type: ignore[arg-type]


anything = st.builds(
    Facts,
    now=st.floats(0, 2000),
    today=st.just(EPOCH),
    lease_until=st.sampled_from([0.0, 50.0, float("inf")]),
    starts_allowed=st.booleans(),
    vetoed=st.booleans(),
    image=st.sampled_from([None, IMAGE, ReasonCode.IMAGE_NOT_FOUND]),
    container=st.sampled_from([None, Absent(), CREATED, RUNNING, EXITED]),
    looked_at=st.sampled_from([float("-inf"), 1.0, 1000.0]),
    look_again=st.booleans(),
    attached=st.booleans(),
    started=st.sampled_from([None, 1.0]),
    refused=st.sampled_from([None, ReasonCode.START_FAILED]),
    foreign=st.booleans(),
    unanswered=st.booleans(),
    stop_asked=st.sampled_from([None, StopReason.CANCEL]),
    term_refused=st.booleans(),
    disk_used_mb=st.integers(0, 2000),
    report_accepted=st.booleans(),
    logs_ended=st.booleans(),
    disowned=st.booleans(),
)


@given(seen=st.lists(anything, min_size=1, max_size=30))
def test_it_is_started_at_most_once_and_only_with_lease_and_leave(seen: list[Facts]) -> None:
    now = attempt(Phase.CLAIMED)
    starts = 0

    for facts_ in seen:
        now, effects = advance(now, facts_, settle_seconds=SETTLE)
        if Act.START in effects:
            starts += 1
            assert facts_.now < facts_.lease_until
            assert facts_.starts_allowed
            assert facts_.attached
            assert facts_.stop_asked is None
            assert not facts_.vetoed
            assert not facts_.disowned

    assert starts <= 1


@given(seen=st.lists(anything, min_size=1, max_size=30), phase=st.sampled_from(Phase))
def test_what_an_earlier_life_left_is_never_started(seen: list[Facts], phase: Phase) -> None:
    ended = phase is Phase.RETOLD
    now = attempt(Phase.RETOLD if ended else Phase.UNSETTLED, inherited=True)
    if ended:
        _, told = advance(attempt(Phase.CLAIMED), facts(vetoed=True), settle_seconds=SETTLE)
        assert isinstance(told[0], TellEnd)
        now = replace(now, ending=told[0].ending)

    for facts_ in seen:
        now, effects = advance(now, facts_, settle_seconds=SETTLE)
        assert Act.START not in effects
        assert Act.CREATE not in effects


@given(seen=st.lists(anything, min_size=1, max_size=30))
def test_an_end_is_told_at_most_once_and_nothing_is_told_after_it(seen: list[Facts]) -> None:
    now, ends, after = attempt(Phase.CLAIMED), 0, []

    for facts_ in seen:
        now, effects = advance(now, facts_, settle_seconds=SETTLE)
        after += [e for e in effects if ends and not isinstance(e, Act)]
        ends += sum(isinstance(effect, TellEnd) for effect in effects)

    assert ends <= 1
    assert after == []


@given(seen=st.lists(anything, min_size=1, max_size=30))
def test_a_container_is_removed_only_after_its_end_was_accepted_or_it_was_disowned(
    seen: list[Facts],
) -> None:
    now = attempt(Phase.RUNNING, container="c1")

    for facts_ in seen:
        now, effects = advance(now, facts_, settle_seconds=SETTLE)
        if Act.REMOVE in effects or Act.REMOVE_RUNNING in effects:
            assert facts_.report_accepted or now.phase is Phase.DISOWNED


@given(seen=anything, phase=st.sampled_from([p for p in Phase if p is not Phase.RETOLD]))
def test_a_step_without_effects_waits_for_the_future_or_for_news(seen: Facts, phase: Phase) -> None:
    now = attempt(phase, container="c1", stopped_at=0.0)

    later, effects = advance(now, seen, settle_seconds=SETTLE)

    assert effects or later.wake_at is None or later.wake_at > seen.now


@pytest.mark.parametrize(("lease_until", "phase"), [(1.0, Phase.ENDED), (1.001, Phase.STARTING)])
def test_the_lease_is_compared_right_before_the_start(lease_until: float, phase: Phase) -> None:
    created = attempt(Phase.CREATED, container="c1")

    after, _ = advance(
        created, facts(attached=True, lease_until=lease_until), settle_seconds=SETTLE
    )

    assert after.phase is phase


def test_listening_comes_before_the_start() -> None:
    created = attempt(Phase.CREATED, container="c1")

    _, effects = advance(created, facts(), settle_seconds=SETTLE)

    assert effects == [Act.ATTACH]


@pytest.mark.parametrize("reason", StopReason)
def test_every_stop_reason_stops(reason: StopReason) -> None:
    running = attempt(Phase.RUNNING, container="c1")

    stopping, effects = advance(running, facts(stop_asked=reason), settle_seconds=SETTLE)
    ended, told = advance(stopping, facts(container=EXITED), settle_seconds=SETTLE)

    assert Act.TERM in effects
    assert isinstance(told[0], TellEnd)
    assert told[0].ending.stop is reason
    assert told[0].ending.state is not AttemptState.SUCCEEDED
    assert ended.phase is Phase.ENDED
