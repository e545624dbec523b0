"""The moves of hosts and of time: heartbeats, new lives, drains, fences, sweeps, clock steps."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.fixtures.money import ALICE
from tests.fixtures.work import ROOM, HandHost
from tests.properties import course as courses
from tests.properties.attempts_base import PICKS, SELDOM, AttemptsBase
from tests.properties.course import LOST, Course
from tests.properties.fleet import HEALTHY, Berth
from tests.properties.weather import CALM, SPELLS, Spell
from wharfage import schema
from wharfage.domain.errors import StaleBoot, StateConflict, Unauthenticated
from wharfage.messages import HeartbeatRequest, Held
from wharfage.operations import agents, hosts, sweep

PUSHED = timedelta(seconds=60)  #: A due item that failed is looked at again after this.
HOSTS_MAX = 3
OPERABLE = ("enrolled", "ready", "draining", "drained")


class HostMoves(AttemptsBase):
    """What hosts, their operator and the clock do."""

    def __init__(self) -> None:
        super().__init__()
        self.fenced_at: list[datetime] = []

    @precondition(lambda self: len(self.hosts) < HOSTS_MAX)
    @rule()
    def enrol(self) -> None:
        self.add_host()

    @rule(which=PICKS, busy=st.booleans(), spell=SPELLS)
    def beat(self, which: int, busy: bool, spell: Spell) -> None:
        """Beat as the newest life does, saying nothing of what is held."""
        host = self.host(which)
        self._beat(host, self.boots[host.id][-1], held=None, busy=busy, spell=spell)

    @rule(
        which=PICKS, life=st.sampled_from(["new", "new", "same", "old"]),
        held=st.sampled_from(["all", "none", "one", "unsaid"]), spell=SPELLS,
    )  # fmt: skip
    def begin(self, which: int, life: str, held: str, spell: Spell) -> None:
        """Begin a life of the agent, or say again what one holds: all, none or a part of it."""
        host = self.host(which)
        boots = self.boots[host.id]
        known = {"old": boots[0], "same": boots[-1]}
        boot = known.get(life) or self.scene.ports.ids.new("bot")
        owned = [course for course in self.owned_by(host.id).values() if course.claim]
        parts = {"all": owned, "none": [], "one": owned[:1], "unsaid": None}
        self._beat(host, boot, held=parts[held], busy=bool(owned), spell=spell)

    @rule(which=PICKS, seconds=st.sampled_from([5, 5, 30, 600]), spell=SPELLS, told=st.booleans())
    def drain(self, which: int, seconds: int, spell: Spell, told: bool) -> None:
        """Drain a host, which may be told of it at once."""
        host = self.host(which)
        by = self.scene.now + timedelta(seconds=seconds)
        after = replace(self.berths[host.id], status="draining", drain_by=by)
        self._operate(
            host, after, lambda: hosts.drain(self.scene.ports, host.id, deadline_seconds=seconds),
            spell,
        )  # fmt: skip
        if told:
            self.wake(host)

    @rule(which=PICKS, spell=SPELLS)
    def undrain(self, which: int, spell: Spell) -> None:
        host = self.host(which)
        after = replace(self.berths[host.id], status="ready", drain_by=None)
        self._operate(host, after, lambda: hosts.undrain(self.scene.ports, host.id), spell)

    @precondition(lambda self: len(self.hosts) > 1)
    @rule(which=PICKS, spell=SPELLS, really=SELDOM)
    def revoke(self, which: int, spell: Spell, really: bool = True) -> None:
        """Revoke a host, seldom, for it is for good."""
        if not really:
            return
        host = self.host(which)
        done = self.do(spell, lambda: hosts.revoke(self.scene.ports, host.id))
        assert done.refusal is None or done.unknown
        after = replace(self.berths[host.id], status="revoked", boot=None, lease_until=None)
        self.witness(
            {job: [self._lost(job)] for job in self.owned_by(host.id)}, sure=not done.unknown
        )
        self.moor(host.id, after, sure=not done.unknown)

    @rule(seconds=st.sampled_from([0, 1, 6, 25, 31, 45]), spell=SPELLS)
    def sweep(self, seconds: int, spell: Spell) -> None:
        self.scene.clock.pass_(seconds=seconds)
        self._sweep(spell)

    @precondition(lambda self: any(course.due for course in self.courses.values()))
    @rule(which=PICKS, spell=SPELLS)
    def sweep_at_a_deadline(self, which: int, spell: Spell) -> None:
        """Sweep at the very moment at which a job's next deadline passes."""
        dues = sorted(course.due for course in self.courses.values() if course.due)
        self.scene.clock.moment = max(self.scene.now, dues[which % len(dues)])
        self._sweep(spell)

    @rule(seconds=st.sampled_from([61, 130, 190, 1000, -45, -700]), really=SELDOM, spell=SPELLS)
    def step_the_clock(self, seconds: int, really: bool, spell: Spell) -> None:
        """Step the clock, far ahead or back, seldom; then sweep."""
        if really:
            self.scene.clock.pass_(seconds=seconds)
            self._sweep(spell)

    def wake(self, host: HandHost) -> None:
        """Have a host heard from, and ready if it may be."""
        if self.berths[host.id].status != "revoked":
            held = [course for course in self.owned_by(host.id).values() if course.claim]
            boot = self.boots[host.id][-1]
            self._beat(host, boot, held=held, busy=bool(held), spell=CALM)

    @rule(rounds=st.sampled_from([1, 1, 2, 6]), silent=st.sampled_from([-1, 0, 1, 2]))
    def time_passes(self, rounds: int, silent: int) -> None:
        """Let time pass with sweeps, and with heartbeats of all hosts, or all but one."""
        for _ in range(rounds):
            self.scene.clock.pass_(seconds=20)
            for host in self.hosts:
                speaks = silent < 0 or host is not self.host(silent)
                if speaks and self.berths[host.id].boot:
                    self._beat(host, self.boots[host.id][-1], held=None, busy=True, spell=CALM)
            self._sweep(CALM)

    def _sweep(self, spell: Spell) -> None:
        now, before = self.scene.now, dict(self.berths)
        watch = self.scene.store.get(schema.WATCH.key(name="watch"))
        rested = watch is None or watch.swept_at is None or now - watch.swept_at > HEALTHY
        done = self.do(spell, lambda: sweep.sweep(self.scene.ports))
        assert done.refusal is None or done.unknown
        sure = spell == CALM
        if sure:
            assert done.result.failed == 0
        for host, berth in before.items():
            found = Berth.read(self.scene.store, host)
            fenced = berth.boot is not None and found.boot is None
            if fenced:
                assert berth.silent_at is not None
                assert now >= berth.silent_at, "fenced while its lease, or its grace, lasted"
                assert not rested, "fenced by a control plane that had itself been away"
                early = [at for at in self.fenced_at if at <= now < at + timedelta(minutes=1)]
                assert not early, "given up too many at a time"
                self.fenced_at.append(now)
            self.moor(host, berth.fenced() if fenced else berth, sure=True)
        self.witness({job: self._swept(job, before, sure=sure) for job in self.courses}, sure=sure)

    def _swept(self, job: str, before: dict[str, Berth], *, sure: bool) -> list[Course]:
        """Say where a sweep may have brought a job."""
        course, plan, now = self.courses[job], self.plans[job], self.scene.now
        if course.due is not None and course.due <= now:
            after = courses.overdue(course, plan, now)
            # With answers lost it may only have been pushed on, or its host was fenced instead.
            pushed = replace(course, due=now + PUSHED)
            return [after] if sure else [after, pushed, *self._given(job)]
        given = self._given(job)
        fenced_now = course.claim and before[course.claim.host] != self.berths[course.claim.host]
        if sure and given and fenced_now:
            return given
        if course.claim and (by := self.berths[course.claim.host].drain_by) and by <= now:
            given.append(courses.asked(course, plan, "drain", now))
        return [course, *given]

    def _given(self, job: str) -> list[Course]:
        """Say what becomes of a job whose host is fenced or revoked: it is lost, or waits."""
        claim = self.courses[job].claim
        if claim is None or (berth := self.berths[claim.host]).boot is not None:
            return []
        if self.plans[job].waits and berth.status != "revoked":
            return []
        return [self._lost(job)]

    def _lost(self, job: str) -> Course:
        return courses.ended(self.courses[job], self.plans[job], LOST, now=self.scene.now)

    def _beat(
        self, host: HandHost, boot: str, *, held: list[Course] | None, busy: bool, spell: Spell
    ) -> None:
        owned = self.owned_by(host.id)
        names = {c.claim.id: job for job, c in owned.items() if c.claim}
        claims = [c.claim.id for c in held or () if c.claim]
        request = HeartbeatRequest(
            boot=boot,
            agent_version="1.0",
            capacity=ROOM,
            free=ROOM,
            busy=busy,
            held=None if held is None else tuple(
                Held(account=ALICE.account, job=names[id_], attempt=1, claim_id=id_)
                for id_ in claims
            ),
        )  # fmt: skip
        done = self.do(spell, lambda: agents.heartbeat(self.scene.ports, host.who, request))
        berth, now = self.berths[host.id], self.scene.now
        after = berth.heard(boot, full=held is not None, busy=busy, now=now)
        if after is None:
            stale = Unauthenticated if berth.status == "revoked" else StaleBoot
            assert done.unknown or isinstance(done.refusal, stale), "J5"
            self.witness({}, sure=True)
            return
        assert done.refusal is None or done.unknown
        options: dict[str, list[Course]] = {}
        for job, course in owned.items():
            assert course.claim is not None
            if held is not None and course.claim.id not in claims and course.claim.boot != boot:
                options[job] = [self._lost(job)]
        self.witness(options, sure=not done.unknown)
        self.moor(host.id, after, sure=not done.unknown)
        if self.berths[host.id].newest == boot and boot not in self.boots[host.id]:
            self.boots[host.id].append(boot)

    def _operate(self, host: HandHost, after: Berth, move: Callable[[], Any], spell: Spell) -> None:
        done = self.do(spell, move)
        allowed = self.berths[host.id].status in OPERABLE
        assert done.unknown or isinstance(done.refusal, StateConflict) is not allowed
        self.witness({}, sure=True)
        self.moor(host.id, after if allowed else self.berths[host.id], sure=not done.unknown)

    def heal(self) -> None:
        """Let nothing but the sweep happen: every job must end by itself (J6)."""
        for _ in range(12):
            self.scene.clock.pass_(seconds=1000)
            self._sweep(CALM)
        assert all(course.ended for course in self.courses.values()), "J6"
