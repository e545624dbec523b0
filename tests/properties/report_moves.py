"""The moves of reports: right or wrong, repeated, reordered, raced, by anybody."""

from collections.abc import Callable
from math import ceil
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.fixtures.work import HandHost
from tests.properties import course as courses
from tests.properties.attempts_base import JOBS_MAX, PICKS
from tests.properties.claim_moves import ClaimMoves
from tests.properties.course import ENDED_RANK, RANKS, Claim, Course, Plan
from tests.properties.customer_moves import PLANS
from tests.properties.fleet import LAST_WORDS, LIVE_WORDS, REJECTED, WORDS, Word
from tests.properties.weather import CALM, SPELLS, Spell
from wharfage.domain.errors import StaleBoot, Unauthenticated
from wharfage.messages import Grant, Report, ReportsRequest
from wharfage.operations import reports

TWISTS = ("claim", "attempt", "host", "boot", "job", "seq")


class ReportMoves(ClaimMoves):
    """What hosts say of attempts."""

    @initialize(
        settled=st.booleans(),
        plans=st.lists(PLANS, min_size=1, max_size=3),
        taken=st.integers(0, 2),
    )
    def begin_with_work(self, plans: list[Plan], taken: int, settled: bool) -> None:
        """Begin where most stories get interesting: some jobs wait, and some are a host's."""
        if settled:  # A control plane that has swept for a while may take leases away.
            self.time_passes(5, silent=-1)
        for plan in plans:
            self.submit(plan, CALM)
        if taken:
            self._claim(self.host(0), {}, slots=taken, stale=False, boot=0, spell=CALM)

    @precondition(lambda self: len(self.live_grants()) < JOBS_MAX // 2)
    @rule(which=PICKS, plan=PLANS, word=st.sampled_from(LIVE_WORDS), said=st.booleans())
    def take_work(self, which: int, plan: Plan, word: Word, said: bool) -> None:
        """Submit, claim and begin in one go, so that most stories have something to lose."""
        self.submit(plan, CALM)
        host = self.host(which)
        self.wake(host)
        self._claim(host, {}, slots=2, stale=False, boot=0, spell=CALM)
        if said and self.live_grants():
            self._say(-1, word, 0, CALM)

    @precondition(lambda self: self.grants)
    @rule(
        which=st.integers(0, 15), word=st.sampled_from(WORDS),
        step=st.sampled_from([1, 1, 1, 1, 0, -1, 5]),
        twist=st.sampled_from([None] * 5 + ["twice", *TWISTS]),
        ran_ms=st.sampled_from([0, 1, 3500, 10**7]),
        between=st.sampled_from([None, None, None, "cancel", "suspend", "claim"]), spell=SPELLS,
    )  # fmt: skip
    def report(
        self, which: int, word: Word, step: int, twist: str | None, ran_ms: int,
        between: str | None, spell: Spell,
    ) -> None:  # fmt: skip
        """Report an attempt, mostly the newest: right or wrong, once or twice, alone or raced."""
        host, grant = self.grants[-1 - which % len(self.grants)]
        course = self.courses[grant.job]
        current = course.attempt == grant.attempt and not course.ended
        seq = max(0, (course.seq if current else 3) + step)
        told = self._report(grant, word, seq=seq, ran_ms=ran_ms)
        teller, told = self._twisted(host, told, twist)
        if twist != "boot":
            self.sent.append((teller, told, word))
        racing = {
            "cancel": lambda: self.cancel(list(self.courses).index(grant.job), CALM),
            "suspend": lambda: self.suspend(CALM),
            "claim": lambda: self._claim(
                host, {grant.job: grant.attempt}, slots=1, stale=False, boot=0, spell=CALM
            ),
        }
        times, old = 1 + (twist == "twice"), twist == "boot"
        self._tell(teller, told, word, times, spell, racing.get(between or ""), old=old)

    @precondition(lambda self: self.live_grants())
    @rule(which=PICKS, word=st.sampled_from(LIVE_WORDS), spell=SPELLS)
    def move_on(self, which: int, word: Word, spell: Spell) -> None:
        """Report a later state of a live attempt, as its host should."""
        self._say(which, word, 0, spell)

    @precondition(lambda self: self.live_grants())
    @rule(
        which=PICKS, word=st.sampled_from(LAST_WORDS), seconds=st.sampled_from([0, 3, 20]),
        ran_ms=st.sampled_from([0, 3500, 10**7]), spell=SPELLS,
    )  # fmt: skip
    def end(self, which: int, word: Word, seconds: int, ran_ms: int, spell: Spell) -> None:
        """Report the end of a live attempt, as its host should."""
        self.scene.clock.pass_(seconds=seconds)
        self._say(which, word, ran_ms, spell)

    @precondition(lambda self: self.live_grants())
    @rule(which=PICKS, times=st.integers(1, 6), seconds=st.sampled_from([0, 61]))
    def give_back(self, which: int, times: int, seconds: int) -> None:
        """Give one job back again and again, by word or by saying nothing until its deadline."""
        live = self.live_grants()
        host, grant = live[which % len(live)]
        for _ in range(times):
            if seconds:
                self.scene.clock.pass_(seconds=seconds)
                self._sweep(CALM)
            else:
                self._say(self.live_grants().index((host, grant)), REJECTED, 0, CALM)
            self.wake(host)
            asked = {grant.job: self.courses[grant.job].attempt}
            self._claim(host, asked, slots=1, stale=False, boot=0, spell=CALM)
            if self.grants[-1][1].job != grant.job or self.grants[-1] not in self.live_grants():
                return
            host, grant = self.grants[-1]

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 30), spell=SPELLS)
    def report_again(self, which: int, spell: Spell) -> None:
        host, told, word = self.sent[-1 - which % len(self.sent)]
        self._tell(host, told, word, 1, spell)

    @precondition(lambda self: self.live_grants())
    @rule(which=PICKS, word=st.sampled_from(WORDS), twist=st.sampled_from(TWISTS), spell=SPELLS)
    def misreport(self, which: int, word: Word, twist: str, spell: Spell) -> None:
        """Report what would be accepted, were it not for one thing that is wrong."""
        live = self.live_grants()
        host, grant = live[which % len(live)]
        told = self._report(grant, word, seq=self.courses[grant.job].seq + 1, ran_ms=1)
        teller, told = self._twisted(host, told, twist)
        self._tell(teller, told, word, 1, spell, old=twist == "boot")

    def _twisted(self, host: HandHost, told: Report, twist: str | None) -> tuple[HandHost, Report]:
        """Make one thing of a report wrong."""
        wrong: dict[str | None, dict[str, Any]] = {
            "job": {"job": "job_unknown"},
            "attempt": {"attempt": told.attempt + 1},
            "claim": {"claim_id": "clm_other"},
            "seq": {"seq": max(0, told.seq - 1)},
        }
        teller = self.host(self.hosts.index(host) + 1) if twist == "host" else host
        return teller, msgspec.structs.replace(told, **wrong.get(twist, {}))

    def live_grants(self) -> list[tuple[HandHost, Grant]]:
        """Name what hosts were granted and still hold."""
        return [
            (host, grant)
            for host, grant in self.grants
            if (claim := self.courses[grant.job].claim) and claim.id == grant.claim_id
        ]

    def _say(self, which: int, word: Word, ran_ms: int, spell: Spell) -> None:
        live = self.live_grants()
        host, grant = live[which % len(live)]
        told = self._report(grant, word, seq=self.courses[grant.job].seq + 1, ran_ms=ran_ms)
        self.sent.append((host, told, word))
        self._tell(host, told, word, 1, spell)

    def _report(self, grant: Grant, word: Word, *, seq: int, ran_ms: int) -> Report:
        return Report(
            account=grant.account,
            job=grant.job,
            attempt=grant.attempt,
            claim_id=grant.claim_id,
            seq=seq,
            state=word.state,
            at=self.scene.now,
            run_ms=ran_ms,
            **dict(word.facts),
        )

    def _tell(
        self,
        host: HandHost,
        told: Report,
        word: Word,
        times: int,
        spell: Spell,
        between: Callable[[], None] | None = None,
        *,
        old: bool = False,
    ) -> None:
        boots = self.boots[host.id]
        request = ReportsRequest(boot=boots[0] if old else boots[-1], reports=(told,) * times)
        done = self.do(spell, lambda: reports.receive(self.scene.ports, host.who, request), between)
        berth = self.berths[host.id]
        if berth.status == "revoked" or berth.boot != request.boot:
            stale = Unauthenticated if berth.status == "revoked" else StaleBoot
            assert done.unknown or isinstance(done.refusal, stale), "J5"
            self.witness({}, sure=True)
            return
        assert done.refusal is None or done.unknown
        course = self.courses.get(told.job)
        answers = []
        for _ in range(times):
            said = "stale_claim"
            if course is not None:
                said, course = self._heard(course, host, told, word)
            answers.append(said)
        if done.value is not None:
            assert [each.outcome for each in done.value.reports] == answers
        self.witness({told.job: [course]} if course else {}, sure=done.refusal is None)

    def _heard(
        self, course: Course, host: HandHost, told: Report, word: Word
    ) -> tuple[str, Course]:
        """Say what a report deserves, and where the job is after it."""
        now, plan = self.scene.now, self.plans[told.job]
        claim = Claim(host.id, "", told.claim_id)
        rank = ENDED_RANK if word.end else RANKS[word.state]
        said = courses.answer(course, claim=claim, attempt=told.attempt, seq=told.seq, rank=rank)
        if said != "accepted":
            return said, course
        if word.end is None:
            return said, courses.told(course, plan, word.state, told.seq, now)
        assert course.claimed_at is not None
        ours = ceil((now - course.claimed_at).total_seconds())
        ran = max(0, min(ceil((told.run_ms or 0) / 1000), ours, plan.hold))
        after = courses.ended(
            course,
            plan,
            word.end,
            now=now,
            seq=told.seq,
            cost=ran if told.started else 0,
            pays=self.available(),
        )
        return said, after
