"""Money by jobs: held, settled, tried again, cancelled, lost."""

from dataclasses import dataclass

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.fixtures.work import ROOM, SPEC, HandHost
from tests.properties.books import Books
from tests.properties.order_money import PICKS
from tests.properties.scene import Scene
from tests.properties.weather import CALM, SPELLS, Spell
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.account import Principal
from wharfage.domain.attempt import AttemptState
from wharfage.domain.errors import AccountFrozen, AccountSuspended, InsufficientFunds, KeyReused
from wharfage.domain.job import Job
from wharfage.domain.spec import Retry
from wharfage.messages import ClaimsRequest, Grant
from wharfage.operations import claims, jobs

_Body = tuple[int, int, int | None]


@dataclass
class Work:
    """One job: what it holds, and what decides whether another attempt follows."""

    account: str
    hold: int
    tries: int  #: Attempts of the customer's own that are left.
    cap: int | None
    cost: int = 0
    attempt: int = 1
    faults: int = 0
    stopping: bool = False
    grant: Grant | None = None  #: While a host has it.
    ended: bool = False
    fare: tuple[int, int] | None = None  #: Of a template: fen or units, due for a success.


class JobMoney:
    """The moves of jobs, as far as they move money. One fen is one second."""

    scene: Scene
    books: Books
    people: list[Principal]
    host: HandHost

    def __init__(self) -> None:
        super().__init__()
        self.work: dict[str, Work] = {}
        self.job_keys: dict[tuple[str, str], tuple[_Body, str]] = {}

    @rule(
        who=PICKS, run=st.sampled_from([5, 20, 50]), tries=st.sampled_from([1, 2, 3]),
        cap=st.sampled_from([None, None, 40, 70]), key=st.sampled_from([None, None, "a"]),
        spell=SPELLS,
    )  # fmt: skip
    def submit(
        self, who: int, run: int, tries: int, cap: int | None, key: str | None, spell: Spell
    ) -> None:
        person = self.people[who % 2]
        retry = Retry(max_attempts=tries, backoff_base_s=0)
        spec = msgspec.structs.replace(SPEC, max_run_s=run, retry=retry, max_cost_fen=cap)
        hold = min(run + spec.stop_grace_s, cap or 1000)
        body = (run, tries, cap)
        made = self.job_keys.get((person.account, key)) if key else None
        done = self.scene.weather.during(
            spell, lambda: jobs.submit(self.scene.ports, person, spec, key=key)
        )
        new = [job for job in self._jobs(person) if job.id not in self.work]
        purse = self.books.purses[person.account]
        if made is not None:
            assert new == [], "R1: one key, two jobs"
            if made[0] != body:
                assert done.unknown or isinstance(done.refusal, KeyReused)
            elif not done.unknown:
                assert done.result.value.id == made[1]
        elif purse.barred:
            assert done.unknown or isinstance(done.refusal, AccountFrozen | AccountSuspended)
            assert new == []
        elif purse.available < hold:
            assert done.unknown or isinstance(done.refusal, InsufficientFunds)
            assert new == []
        else:
            assert done.unknown or [job.id for job in new] == [done.result.value.id]
        for job in new:
            purse.hold(job.id, hold)
            self.work[job.id] = Work(person.account, hold, tries, cap)
            if key:
                self.job_keys[person.account, key] = (body, job.id)

    @rule(spell=SPELLS, wait=st.sampled_from([0, 0, 3, 40]))
    def claim(self, spell: Spell, wait: int) -> None:
        """Have the host take what it can; then let it run for a while."""
        self.host.beat(held=())
        self._lost_with_the_host()
        request = ClaimsRequest(boot=self.host.boot, free=ROOM)
        who = self.host.who
        done = self.scene.weather.during(
            spell, lambda: claims.claim(self.scene.ports, who, request)
        )
        for grant in done.result.grants if done.value else ():
            work = self.work[grant.job]
            assert not work.ended
            assert grant.attempt == work.attempt
            work.grant = grant
            self.host.report(grant, AttemptState.RUNNING, seq=1)
        self.scene.clock.pass_(seconds=wait)

    @precondition(lambda self: self._held())
    @rule(
        which=PICKS, code=st.sampled_from([0, 1, 1]), ran_ms=st.sampled_from([0, 1, 4001, 900_000]),
        started=st.sampled_from([True, True, True, False]), spell=SPELLS, twice=st.booleans(),
    )  # fmt: skip
    def finish(
        self, which: int, code: int, ran_ms: int, started: bool, spell: Spell, twice: bool
    ) -> None:
        """Report the end of a container; the report may be sent twice."""
        job_id = self._pick(which)
        work, grant = self.work[job_id], self._grant(job_id)
        before = self._job(job_id)
        assert before.claimed_at is not None
        elapsed = -(-(self.scene.now - before.claimed_at).total_seconds() // 1)
        most = before.max_run_s + before.stop_grace_s
        cost = int(max(0, min(-(-ran_ms // 1000), elapsed, most))) if started else 0
        state = AttemptState.FAILED if code else AttemptState.SUCCEEDED
        for _ in range(1 + twice):
            done = self.scene.weather.during(
                spell,
                lambda: self.host.report(
                    grant, state, seq=2, exit_code=code, started=started, run_ms=ran_ms
                ),
            )
            assert done.unknown or done.value in {"accepted", "repeated"}
        if self._job(job_id).version == before.version:
            assert done.unknown
            return
        used = 0
        if work.fare is not None:
            cost, used = work.fare if code == 0 else (0, 0)  # It was seen to run by its claim.
        work.tries -= 1
        work.cost += cost
        purse = self.books.purses[work.account]
        again = code != 0 and work.tries > 0 and not work.stopping and cost <= purse.available
        if work.cap is not None and work.cost + work.hold > work.cap:
            again = False
        self._end(job_id, cost=cost, used=used, again=again)

    @precondition(lambda self: self._held())
    @rule(which=PICKS, state=st.sampled_from([AttemptState.REJECTED, AttemptState.LOST]))
    def hand_back(self, which: int, state: AttemptState) -> None:
        """Hand an attempt back after it ran: free, up to the cap of such ends."""
        job_id = self._pick(which)
        self.host.report(self._grant(job_id), state, seq=2, started=True, run_ms=60_000)
        self._fault(job_id)

    @precondition(lambda self: self.work)
    @rule(which=PICKS, spell=SPELLS)
    def cancel(self, which: int, spell: Spell) -> None:
        job_id = list(self.work)[which % len(self.work)]
        work, before = self.work[job_id], self._job(job_id)
        person = next(who for who in self.people if who.account == work.account)
        done = self.scene.weather.during(
            spell, lambda: jobs.cancel(self.scene.ports, person, job_id)
        )
        after = self._job(job_id)
        if after.version == before.version:
            assert done.unknown or work.ended or work.stopping
        elif before.state.held_by_host:
            assert not after.terminal
            work.stopping = True
        else:
            assert after.state is AttemptState.CANCELLED
            self._end(job_id, cost=0, again=False)

    @rule(
        who=PICKS, tries=st.sampled_from([1, 2, 3]), cap=st.sampled_from([None, None, 70]),
        wait=st.sampled_from([0, 3, 40, 90]), codes=st.lists(st.integers(0, 1), max_size=3),
        ran_ms=st.sampled_from([0, 4001, 900_000]), spell=SPELLS,
    )  # fmt: skip
    def run(
        self, who: int, tries: int, cap: int | None, wait: int, codes: list[int], ran_ms: int,
        spell: Spell,
    ) -> None:  # fmt: skip
        """Tell a whole job in one go, so that most stories have money that moved."""
        self.submit(who, 50, tries, cap, None, CALM)
        for code in codes:
            self.claim(CALM, wait)
            if self._held():
                self.finish(-1, code, ran_ms, started=True, spell=spell, twice=False)

    @rule()
    def restart_the_agent_with_nothing(self) -> None:
        """Begin a new life of the agent that holds nothing: all it had is lost, and free."""
        self.host.beat(boot=self.scene.ports.ids.new("bot"), held=())
        self._lost_with_the_host()

    def book_control_ends(self) -> None:
        """Book what control ended: it captures nothing, and a record says so."""
        for job_id, work in self.work.items():
            row = self._job(job_id)
            if (row.attempt, row.terminal) == (work.attempt, work.ended):
                continue
            assert row.cost_fen == work.cost, "an end made by control captures nothing"
            work.tries = row.retry.max_attempts - row.user_attempts
            work.faults = row.platform_faults
            self._end(job_id, cost=0, again=not row.terminal)

    def _lost_with_the_host(self) -> None:
        """Book what a heartbeat of a new boot, or one after a fence, has given up."""
        for job_id in self._held():
            if self._job(job_id).attempt != self.work[job_id].attempt or self._job(job_id).terminal:
                self._fault(job_id)
        # A claim whose answer was lost has a line as well, though no host knows of it.
        self.book_control_ends()

    def _fault(self, job_id: str) -> None:
        work = self.work[job_id]
        work.faults += 1
        capped = work.faults == limits.PLATFORM_FAULTS_MAX
        self._end(job_id, cost=0, again=not (work.stopping or capped))

    def _end(self, job_id: str, *, cost: int, again: bool, used: int = 0) -> None:
        """Post what an attempt cost, if a host had it; without another one settle the hold."""
        work = self.work[job_id]
        purse = self.books.purses[work.account]
        record = self.scene.store.get(schema.ATTEMPT.key(job=job_id, attempt=work.attempt))
        assert record is not None, "an attempt ends with its record"
        if record.claim_id is not None:
            purse.move(f"use#{job_id}.{work.attempt}", -cost)
            if used:
                purse.units[f"use#{job_id}.{work.attempt}"] = -used
        work.grant, work.stopping = None, False
        if again:
            work.attempt += 1
        else:
            work.ended = True
            if work.fare is not None and work.fare[1]:
                purse.settle_units(work.fare[1], used)
            purse.settle(job_id, cost)  # Earlier attempts were paid from the balance.

    def _held(self) -> list[str]:
        return [job_id for job_id, work in self.work.items() if work.grant]

    def _pick(self, which: int) -> str:
        held = self._held()
        return held[which % len(held)]

    def _grant(self, job_id: str) -> Grant:
        grant = self.work[job_id].grant
        assert grant is not None
        return grant

    def _job(self, job_id: str) -> Job:
        row = self.scene.store.get(schema.JOB.key(account=self.work[job_id].account, id=job_id))
        assert row is not None
        return row

    def _jobs(self, who: Principal) -> tuple[Job, ...]:
        return self.scene.store.query(schema.JOB, who.account, prefix="job_", limit=100).items
