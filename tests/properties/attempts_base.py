"""The attempts model's ground: what it remembers, and how every move is held against it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from tests.fixtures.money import ALICE
from tests.fixtures.work import HandHost
from tests.properties.course import HELD, Course, Plan, read
from tests.properties.fleet import Berth, Word
from tests.properties.scene import Scene
from tests.properties.weather import CALM, Outcome, Spell
from wharfage import schema
from wharfage.domain.host import HostPrincipal
from wharfage.messages import Grant, Report
from wharfage.operations import assignments

MONEY_FEN = 400
JOBS_MAX = 6
PICKS = st.integers(0, 5)
SELDOM = st.sampled_from([False, False, False, True])
Options = Mapping[str, Iterable[Course]]


class AttemptsBase:
    """Jobs by their course, hosts by their berth, and everything that was ever said."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene([ALICE])
        self.scene.give(ALICE, MONEY_FEN)
        self.plans: dict[str, Plan] = {}
        self.courses: dict[str, Course] = {}
        self.hosts: list[HandHost] = []
        self.berths: dict[str, Berth] = {}
        self.looked: dict[str, HostPrincipal] = {}  #: As some request in flight has read them.
        self.boots: dict[str, list[str]] = {}
        self.grants: list[tuple[HandHost, Grant]] = []
        self.sent: list[tuple[HandHost, Report, Word]] = []
        self.claim_ids: set[str] = set()
        self.sound = True  #: The last move held; when it did not, its failure is the one to show.
        self.add_host()

    def add_host(self) -> None:
        """Enrol a host that beats once."""
        host = self.scene.world.host()
        self.hosts.append(host)
        self.berths[host.id] = Berth.read(self.scene.store, host.id)
        self.looked[host.id] = host.who
        self.boots[host.id] = [host.boot]

    def do(
        self,
        spell: Spell,
        move: Callable[[], Any],
        between: Callable[[], None] | None = None,
    ) -> Outcome:
        """Carry out a move; in calm weather its outcome is known."""
        self.sound = False
        done = self.scene.weather.during(spell, move, between=between)
        assert not (done.unknown and spell == CALM), done.refusal
        return done

    def witness(self, options: Options, *, sure: bool) -> None:
        """Fail unless every job is where a move may have brought it; go on from there."""
        for job, before in self.courses.items():
            after = read(self.scene.store, ALICE.account, job)
            may = list(options.get(job, [before]))
            if not sure:
                may.append(before)
            assert after in may, f"{job}:\nwas {before}\nis  {after}\nmay {may}"
            assert (after.attempt, after.rank) >= (before.attempt, before.rank), "J4"
            assert after.past[: len(before.past)] == before.past, "J4: a record was rewritten"
            self.courses[job] = after

    def moor(self, host: str, berth: Berth, *, sure: bool) -> None:
        """Fail unless a host's row is as expected, or as before if that is not *sure*."""
        found = Berth.read(self.scene.store, host)
        assert found in ([berth] if sure else [berth, self.berths[host]]), f"{found} {berth}"
        self.berths[host] = found

    def available(self) -> int:
        """Add up what the account can spend: its own law, M8 and M4."""
        held = sum(self.plans[j].hold for j, course in self.courses.items() if not course.ended)
        return MONEY_FEN - held - sum(course.cost for course in self.courses.values())

    def owned_by(self, host: str) -> dict[str, Course]:
        """Name the jobs whose attempt a host owns."""
        return {
            job: course
            for job, course in self.courses.items()
            if course.claim and course.claim.host == host and course.state in HELD
        }

    def check(self) -> None:
        """Check what is true at every instant."""
        balance = self.scene.world.balance()
        held = sum(self.plans[j].hold for j, course in self.courses.items() if not course.ended)
        assert (balance.available, balance.held) == (self.available(), held)
        for host in self.hosts:
            assert Berth.read(self.scene.store, host.id) == self.berths[host.id]
            assigned = {
                (each.job, each.attempt, each.claim_id, each.boot, each.stop_reason)
                for each in assignments.of_host(self.scene.ports, host.id)
            }
            owned = {
                (job, course.attempt, course.claim.id, course.claim.boot, course.stop)
                for job, course in self.owned_by(host.id).items()
                if course.claim
            }
            assert assigned == owned, "J2: the hosts' lists are not what the jobs say"
        self.scene.check()
        self.sound = True

    def host(self, which: int) -> HandHost:
        """Pick a host."""
        return self.hosts[which % len(self.hosts)]

    def job(self, which: int) -> str:
        """Pick a job."""
        return list(self.courses)[which % len(self.courses)]

    def new_jobs(self) -> list[str]:
        """Name the jobs that the model has not seen yet."""
        page = self.scene.store.query(schema.JOB, ALICE.account, prefix="job_", limit=100)
        return [job.id for job in page.items if job.id not in self.courses]
