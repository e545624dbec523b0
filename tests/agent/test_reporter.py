"""Reports: the newest of each attempt, oldest attempt first, until it is told."""

from datetime import UTC, datetime

import pytest

from wharfage.domain.attempt import AttemptState
from wharfage.domain.limits import REPORTS_MAX
from wharfage.messages import Report, Reported, ReportsReply, ReportsRequest
from wharfage_agent.errors import CloudAway, CloudRefused
from wharfage_agent.reporter import Reporter


class Ear:
    """A control plane that only hears reports."""

    def __init__(self) -> None:
        self.requests: list[ReportsRequest] = []
        self.away = False
        self.bad: str | None = None

    def reports(self, request: ReportsRequest) -> ReportsReply:
        if self.away:
            raise CloudAway("away")
        if any(report.job == self.bad for report in request.reports):
            raise CloudRefused(422, "invalid")
        self.requests.append(request)
        return ReportsReply(
            reports=tuple(
                Reported(job=r.job, attempt=r.attempt, seq=r.seq, outcome="accepted")
                for r in request.reports
            )
        )


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def answers() -> list[tuple[str, int, str]]:
    return []


@pytest.fixture
def reporter(ear: Ear, answers: list[tuple[str, int, str]]) -> Reporter:
    return Reporter(
        ear,  # type: ignore[arg-type]
        boot="bot_0001",
        answered=lambda report, outcome: answers.append((report.job, report.seq, outcome)),
        wake=lambda: None,
    )


def report(number: int, seq: int, state: AttemptState = AttemptState.RUNNING) -> Report:
    return Report(
        account="acc_0001",
        job=f"job_{number:04d}",
        attempt=1,
        claim_id="clm_0001",
        seq=seq,
        state=state,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_only_the_newest_state_of_an_attempt_is_sent(reporter: Reporter, ear: Ear) -> None:
    reporter.put(report(1, 0))
    reporter.put(report(2, 0))
    reporter.put(report(1, 1))

    reporter.flush()

    (request,) = ear.requests
    assert [(r.job, r.seq) for r in request.reports] == [("job_0001", 1), ("job_0002", 0)]


@pytest.mark.parametrize(
    ("count", "calls"),
    [(REPORTS_MAX - 1, 1), (REPORTS_MAX, 1), (REPORTS_MAX + 1, 2)],
)
def test_a_call_takes_as_many_as_are_allowed(
    reporter: Reporter, ear: Ear, count: int, calls: int
) -> None:
    for number in range(count):
        reporter.put(report(number, 0))

    reporter.flush()

    assert len(ear.requests) == calls
    assert reporter.idle


def test_what_was_not_told_waits(
    reporter: Reporter, ear: Ear, answers: list[tuple[str, int, str]]
) -> None:
    ear.away = True
    reporter.put(report(1, 0))

    with pytest.raises(CloudAway):
        reporter.flush()
    ear.away = False
    reporter.flush()

    assert answers == [("job_0001", 0, "accepted")]


def test_one_bad_report_does_not_hold_the_others_up(
    reporter: Reporter, ear: Ear, answers: list[tuple[str, int, str]]
) -> None:
    ear.bad = "job_0001"
    reporter.put(report(1, 0))
    reporter.put(report(2, 0))

    reporter.flush()

    assert sorted(answers) == [("job_0001", 0, "stale_claim"), ("job_0002", 0, "accepted")]


def test_states_on_the_way_are_not_urgent(reporter: Reporter) -> None:
    reporter.put(report(1, 0, AttemptState.PREPARING))
    on_the_way = reporter.urgent

    reporter.put(report(1, 1, AttemptState.RUNNING))

    assert (on_the_way, reporter.urgent) == (False, True)
