"""What a job's rows should say: work.md's table of states, small. The attempts model's oracle."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tests.fixtures import ledger
from wharfage import schema
from wharfage.ports import Store

RANKS = {
    "pending": 0, "queued": 100, "claimed": 200, "preparing": 300, "starting": 400,
    "running": 500, "stopping": 600,
}  # fmt: skip
ENDED_RANK = 700
HELD = ("claimed", "preparing", "starting", "running", "stopping")
FAULTS_MAX = 5
#: How a stop ends an attempt: state, whether it is the platform's doing, reason.
STOPS = {
    "cancel": ("cancelled", False, "cancelled"),
    "suspend": ("cancelled", False, "account_stopped"),
    "timeout": ("timed_out", False, "timeout"),
    "drain": ("lost", True, "host_drained"),
}
FOR_GOOD = ("cancel", "suspend")
LOST = ("lost", True, "host_lost")
How = tuple[str, bool, str | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What was submitted. One fen is one second."""

    tries: int = 1
    backoff: int = 0
    waits: bool = False
    ttl: int = 300
    run: int = 50
    grace: int = 10

    @property
    def hold(self) -> int:
        """The worst case of one attempt."""
        return self.run + self.grace


@dataclass(frozen=True, slots=True)
class Claim:
    """Who owns an attempt."""

    host: str
    boot: str
    id: str


@dataclass(frozen=True, slots=True)
class Past:
    """An attempt that has ended."""

    state: str
    claim: str | None
    seq: int | None
    cost: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """Where a job stands. What no longer matters after its end is left out then."""

    state: str = "queued"
    attempt: int = 1
    claim: Claim | None = None
    claimed_at: datetime | None = None
    queued_at: datetime | None = None
    due: datetime | None = None
    seq: int = -1
    stop: str | None = None
    asked_at: datetime | None = None
    spent: int = 0
    faults: int = 0
    ended: bool = False
    reason: str | None = None
    past: tuple[Past, ...] = ()

    @property
    def rank(self) -> int:
        """The place in the order of states."""
        return ENDED_RANK if self.ended else RANKS[self.state]

    @property
    def cost(self) -> int:
        """What all attempts have cost."""
        return sum(past.cost for past in self.past)


def read(store: Store, account: str, job: str) -> Course:
    """Read a job's rows as a course."""
    row = store.get(schema.JOB.key(account=account, id=job))
    assert row is not None
    past = tuple(
        Past(each.state, each.claim_id, each.seq, each.cost_fen)
        for each in ledger.rows(store, schema.ATTEMPT, job)
    )
    last = Course(
        state=row.state,
        attempt=row.attempt,
        spent=row.user_attempts,
        faults=row.platform_faults,
        ended=row.terminal,
        reason=row.reason_code,
        past=past,
    )
    if row.terminal:
        return last
    owner = Claim(str(row.host), str(row.boot), row.claim_id) if row.claim_id else None
    return replace(
        last,
        claim=owner,
        claimed_at=row.claimed_at,
        queued_at=row.queued_at,
        due=row.due_at,
        seq=row.seq,
        stop=row.stop_reason,
        asked_at=row.stop_asked_at,
    )


def queued(course: Course, plan: Plan, now: datetime) -> Course:
    """Queue an attempt."""
    return replace(course, state="queued", queued_at=now, due=now + _s(plan.ttl))


def claimed(course: Course, claim: Claim, now: datetime) -> Course:
    """Give a queued attempt to a host."""
    return replace(course, state="claimed", claim=claim, claimed_at=now, due=now + _s(60))


def told(course: Course, plan: Plan, state: str, seq: int, now: datetime) -> Course:
    """Move a held attempt to a later state; control waits a minute longer than the agent."""
    waits = {
        "preparing": 15 * 60 + 60,
        "starting": 2 * 60 + 60,
        "running": plan.run + plan.grace + 60,
        "stopping": plan.grace + 60 + 60,
    }
    due = course.due if course.stop else now + _s(waits[state])
    return replace(course, state=state, seq=seq, due=due)


def asked(course: Course, plan: Plan, reason: str, now: datetime) -> Course:
    """Ask a host to stop: the first wish stays, but one that is for good beats one that is not."""
    if course.stop in FOR_GOOD or (course.stop and reason not in FOR_GOOD):
        return course
    since = course.asked_at or now
    return replace(course, stop=reason, asked_at=since, due=since + _s(plan.grace + 120))


def overdue(course: Course, plan: Plan, now: datetime) -> Course:
    """Move on what is past its deadline: an end made by control costs nothing."""
    if course.state == "pending":
        return queued(course, plan, now)
    if course.state == "queued":
        how: How = ("expired", True, "queue_ttl")
    elif course.stop:
        how = STOPS[course.stop]
    elif course.state in ("running", "stopping"):
        how = STOPS["timeout"]
    else:
        how = ("lost", True, "no_report")
    return ended(course, plan, how, now=now)


def ended(
    course: Course,
    plan: Plan,
    how: How,
    *,
    now: datetime,
    seq: int | None = None,
    cost: int = 0,
    pays: int = 0,
) -> Course:
    """End an attempt: another one follows, or the job ends with it. *pays* is what is available."""
    state, platform, reason = how
    cost = 0 if platform else cost
    claim = course.claim.id if course.claim else None
    after = Course(
        attempt=course.attempt,
        past=(*course.past, Past(state, claim, seq, cost)),
        spent=course.spent + (not platform),
        faults=course.faults + platform,
    )
    good = course.stop in FOR_GOOD
    free = platform and state != "expired" and after.faults < FAULTS_MAX
    paid = not platform and state in ("failed", "timed_out") and after.spent < plan.tries
    if not good and (free or (paid and cost <= pays)):
        after = replace(after, attempt=course.attempt + 1)
        if platform or not plan.backoff:
            return queued(after, plan, now)
        return replace(after, state="pending", due=now + _s(plan.backoff))
    if state in ("lost", "rejected"):
        state, _, reason = STOPS[str(course.stop)] if good else ("failed", platform, reason)
    if paid and not good:
        reason = "funds"
    return replace(after, state=state, ended=True, reason=reason)


def answer(course: Course, *, claim: Claim, attempt: int, seq: int, rank: int) -> str:
    """Say what a report deserves."""
    if attempt <= len(course.past):
        past = course.past[attempt - 1]
        same = rank >= ENDED_RANK and (past.claim, past.seq) == (claim.id, seq)
        return "repeated" if same else "stale_claim"
    owner = course.claim
    holds = owner is not None and (owner.host, owner.id) == (claim.host, claim.id)
    if course.ended or attempt != course.attempt or not holds:
        return "stale_claim"
    return "accepted" if seq > course.seq and rank > course.rank else "repeated"


def _s(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)
