"""The moves of the customer and of whoever stops an account: submitted, cancelled, suspended."""

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.fixtures.money import ALICE
from tests.fixtures.work import SPEC
from tests.properties import course as courses
from tests.properties.attempts_base import JOBS_MAX, PICKS, SELDOM
from tests.properties.course import HELD, STOPS, Course, Plan
from tests.properties.host_moves import HostMoves
from tests.properties.weather import CALM, SPELLS, Spell
from wharfage.domain.attempt import StopReason
from wharfage.domain.errors import InsufficientFunds
from wharfage.domain.spec import OnHostLost, Retry
from wharfage.operations import jobs

PLANS = st.builds(
    Plan,
    tries=st.sampled_from([1, 2, 3]),
    backoff=st.sampled_from([0, 30]),
    waits=st.booleans(),
    ttl=st.sampled_from([900, 900, 200]),
)


class CustomerMoves(HostMoves):
    """What people do to jobs."""

    @precondition(lambda self: len(self.courses) < 2 * JOBS_MAX)
    @rule(plan=PLANS, spell=SPELLS)
    def submit(self, plan: Plan, spell: Spell) -> None:
        spec = msgspec.structs.replace(
            SPEC,
            max_run_s=plan.run,
            stop_grace_s=plan.grace,
            queue_ttl_s=plan.ttl,
            retry=Retry(max_attempts=plan.tries, backoff_base_s=plan.backoff, backoff_factor=1),
            on_host_lost=OnHostLost.WAIT if plan.waits else OnHostLost.RERUN,
        )
        done = self.do(spell, lambda: jobs.submit(self.scene.ports, ALICE, spec, key=None))
        new = self.new_jobs()
        if self.available() < plan.hold:
            assert done.unknown or isinstance(done.refusal, InsufficientFunds)
            assert new == []
        else:
            assert done.unknown or new == [done.result.value.id]
        for job in new:
            self.plans[job] = plan
            self.courses[job] = courses.queued(Course(), plan, self.scene.now)
        self.witness({}, sure=True)

    @precondition(lambda self: self.courses)
    @rule(which=PICKS, spell=SPELLS, really=SELDOM)
    def cancel(self, which: int, spell: Spell, really: bool = True) -> None:
        if not really:
            return
        job = self.job(which)
        done = self.do(spell, lambda: jobs.cancel(self.scene.ports, ALICE, job))
        assert done.refusal is None or done.unknown
        self.witness({job: [self._stopped(job, "cancel")]}, sure=not done.unknown)

    @rule(spell=SPELLS, really=SELDOM)
    def suspend(self, spell: Spell, really: bool = True) -> None:
        """Stop everything of the account, as a ban does."""
        if not really:
            return
        done = self.do(
            spell, lambda: jobs.stop_all(self.scene.ports, ALICE.account, StopReason.SUSPEND)
        )
        assert done.refusal is None or done.unknown
        options = {job: [self._stopped(job, "suspend")] for job in self.courses}
        self.witness(options, sure=not done.unknown)

    @rule(
        which=PICKS, seconds=st.sampled_from([5, 30]), undrained=st.booleans(),
        late=st.sampled_from([0, 1, 20]), then=st.sampled_from([None, "cancel", "suspend"]),
        spell=SPELLS,
    )  # fmt: skip
    def drain_to_its_deadline(
        self, which: int, seconds: int, undrained: bool, late: int, then: str | None, spell: Spell
    ) -> None:
        """Drain a host, perhaps call it off, and sweep when its time has come; then stop a job."""
        self.drain(which, seconds, CALM, told=True)
        if undrained:
            self.undrain(which, CALM)
        self.scene.clock.pass_(seconds=seconds + late)
        self._sweep(spell)
        for job in self.owned_by(self.host(which).id) if then == "cancel" else ():
            self.cancel(list(self.courses).index(job), CALM)
        if then == "suspend":
            self.suspend(CALM)

    def _stopped(self, job: str, reason: str) -> Course:
        course, plan, now = self.courses[job], self.plans[job], self.scene.now
        if course.ended:
            return course
        if course.state in HELD:
            return courses.asked(course, plan, reason, now)
        return courses.ended(course, plan, STOPS[reason], now=now)
