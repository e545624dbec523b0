"""The moves of claims: by whichever host, of whatever it heard, at whatever time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.fixtures.money import ALICE
from tests.fixtures.work import ROOM, HandHost
from tests.properties import course as courses
from tests.properties.attempts_base import PICKS, SELDOM
from tests.properties.course import Claim
from tests.properties.customer_moves import CustomerMoves
from tests.properties.fleet import Berth
from tests.properties.weather import CALM, SPELLS, Spell
from wharfage.domain import limits
from wharfage.domain.errors import StaleBoot, Unauthenticated
from wharfage.messages import Candidate, ClaimsReply, ClaimsRequest
from wharfage.operations import claims


class ClaimMoves(CustomerMoves):
    """How hosts come to own attempts."""

    @rule(which=PICKS)
    def look(self, which: int) -> None:
        """Keep a host as it is now, for a request that will act on it later."""
        host = self.host(which)
        if self.berths[host.id].status != "revoked":
            self.looked[host.id] = host.who

    @rule(
        which=PICKS, heard=st.lists(st.tuples(PICKS, st.sampled_from([0, 0, 1])), max_size=2),
        slots=st.integers(1, 2), stale=st.sampled_from([False, False, True]), boot=PICKS,
        mute=SELDOM, spell=SPELLS,
    )  # fmt: skip
    def claim(
        self, which: int, heard: list[tuple[int, int]], slots: int, stale: bool, boot: int,
        mute: bool, spell: Spell,
    ) -> None:  # fmt: skip
        """Claim with a word of life before it, unless the host was *mute*."""
        host = self.host(which)
        if not (mute or stale):
            self.wake(host)
        asked = {
            job: self.courses[job].attempt + off
            for job, off in ((self.job(pick), off) for pick, off in heard if self.courses)
        }
        self._claim(host, asked, slots=slots, stale=stale, boot=boot, spell=spell)

    @precondition(lambda self: self.waiting())
    @rule(
        first=PICKS, second=PICKS, which=PICKS,
        news=st.sampled_from(["claim", "cancel", "life", "drain", "revoke"]),
    )  # fmt: skip
    def claim_while_it_moves(self, first: int, second: int, which: int, news: str) -> None:
        """Claim a job while another host does, or while its customer or the host moves."""
        self.wake(self.host(first))
        self.wake(self.host(second))
        waiting = self.waiting()
        if not waiting:
            return
        job = waiting[which % len(waiting)]
        asked = {job: self.courses[job].attempt}

        def between() -> None:
            match news:
                case "claim":
                    self._claim(self.host(second), asked, slots=1, stale=False, boot=0, spell=CALM)
                case "cancel":
                    self.cancel(list(self.courses).index(job), CALM)
                case "life":
                    self.begin(first, "new", "all", CALM)
                case "drain":
                    self.drain(first, 30, CALM, told=False)
                case "revoke":
                    self.revoke(first, CALM)

        self._claim(
            self.host(first), asked, slots=1, stale=False, boot=0, spell=CALM, between=between
        )

    def _claim(
        self,
        host: HandHost,
        asked: dict[str, int],
        *,
        slots: int,
        stale: bool,
        boot: int,
        spell: Spell,
        between: Callable[[], None] | None = None,
    ) -> None:
        """Claim with the host as it is, or as a request in flight has read it before."""
        looked = self.looked[host.id]
        newest = looked.host.boot if stale else self.boots[host.id][-1]
        request = ClaimsRequest(
            boot=self.boots[host.id][0] if boot == 5 or newest is None else newest,
            free=msgspec.structs.replace(ROOM, slots=slots),
            candidates=tuple(
                Candidate(account=ALICE.account, job=job, attempt=attempt)
                for job, attempt in asked.items()
            ),
        )
        seen: list[Berth] = []

        def move() -> ClaimsReply:
            who = looked if stale else host.who
            seen.append(Berth.of(who.host))
            return claims.claim(self.scene.ports, who, request)

        done = self.do(spell, move, between)
        grants = done.value.grants if done.value else ()
        if not seen or seen[0].boot != request.boot:
            refused = Unauthenticated if not seen else StaleBoot
            assert done.unknown or isinstance(done.refusal, refused)
            self.witness({}, sure=True)
            return
        assert done.refusal is None or done.unknown
        may = self._claimable(host, seen[0], asked, slots)
        if done.value is not None and between is None:
            assert [grant.job for grant in grants] == list(may)[: len(grants)] == list(may)
            declined = {each.job: each.outcome for each in done.value.declined}
            assert not declined.keys() & may.keys()
        if done.unknown:  # Any of them may be its own, under a claim that nobody was told.
            claim_of = {job: id_ for job in may if (id_ := self._claim_in_store(job))}
        else:
            assert {grant.job for grant in grants} <= may.keys(), "J2: it was not to be had"
            claim_of = {grant.job: grant.claim_id for grant in grants}
        self._grant(host, seen[0], claim_of, may, sure=not done.unknown)
        self.grants += [(host, grant) for grant in grants]

    def waiting(self) -> list[str]:
        """Name the queued jobs, longest waiting first."""
        since = {job: c.queued_at for job, c in self.courses.items() if c.state == "queued"}
        return sorted(since, key=lambda job: (since[job], job))

    def _claimable(
        self, host: HandHost, seen: Berth, asked: dict[str, int], slots: int
    ) -> dict[str, str | None]:
        """Name what a claim is to get, in order: its claim id, None for a new one."""
        if not seen.takes_work(self.scene.now):
            return {}
        may: dict[str, str | None] = {}
        for job in dict.fromkeys([*asked, *self.waiting()]):
            course = self.courses[job]
            if course.ended or course.attempt < asked.get(job, 0):
                continue
            if course.state == "claimed":
                assert course.claim is not None
                assert course.claimed_at is not None
                again = timedelta(seconds=limits.CLAIM_REPEAT_SECONDS)
                mine = (course.claim.host, course.claim.boot) == (host.id, seen.boot)
                if mine and self.scene.now < course.claimed_at + again:
                    may[job] = course.claim.id
            elif course.state == "queued" and slots:
                if not seen.same_for_a_claim(self.berths[host.id]):
                    break  # The host's row has moved since it was read.
                may[job] = None
                slots -= 1
        return may

    def _grant(
        self,
        host: HandHost,
        seen: Berth,
        claim_of: dict[str, str],
        may: dict[str, str | None],
        *,
        sure: bool,
    ) -> None:
        options, now = {}, self.scene.now
        fresh = {job: id_ for job, id_ in claim_of.items() if may[job] is None}
        assert not self.claim_ids & set(fresh.values()), "a claim id is used twice"
        for job, id_ in fresh.items():
            claim = Claim(host.id, str(seen.boot), id_)
            options[job] = [courses.claimed(self.courses[job], claim, now)]
        for job, id_ in claim_of.items():
            assert may[job] in {None, id_}, "the same boot gets the same claim"
        self.witness(options, sure=sure)
        self.claim_ids |= set(fresh.values())
        berth = self.berths[host.id]
        self.moor(host.id, replace(berth, claims=berth.claims + len(fresh)), sure=True)

    def _claim_in_store(self, job: str) -> str | None:
        claim = courses.read(self.scene.store, ALICE.account, job).claim
        return claim.id if claim else None
