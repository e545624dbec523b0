"""Those who use the product: customers, who pay, submit and cancel; an operator; sweepers."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, TypeVar

import msgspec

from tests.fixtures.money import OPERATOR
from tests.simulation.disputes import Disputes
from tests.simulation.engine import LOCAL_IMAGE, Program
from tests.simulation.network import Control
from tests.simulation.person import Person
from tests.simulation.refunds import Refunds
from tests.simulation.tills import Tills
from wharfage.domain.account import Principal
from wharfage.domain.attempt import ReasonCode
from wharfage.domain.order import OrderKind
from wharfage.domain.price import Resources
from wharfage.domain.spec import JobSpec, OnHostLost, Priority, Retry, RetryRule, Submission
from wharfage.domain.trade import PayMethod
from wharfage.operations import accounts, hosts, jobs, ledger, orders

T = TypeVar("T")

PULLED_IMAGE = "busybox:1"
OUT = "/wharfage/out"


class Customer(Person):
    """Pays, submits jobs, cancels some."""

    def __init__(self, control: Control, chance: Random, who: Principal, tills: Tills) -> None:
        super().__init__(control, chance, who.account)
        self.who = who
        self._tills = tills
        self._refunds = Refunds(control, Random(chance.getrandbits(64)), who, tills)
        self._disputes = Disputes(control, Random(f"disputes {who.account}"), who.account)
        self.programs: dict[str, list[Program]] = {}  #: By the plan a job names: one an attempt.
        self.answers: dict[str, set[str]] = {}  #: The jobs that were answered to a key.
        self._orders = 0
        self._fancy = Random(f"fancy {who.account} {chance.random()}")

    def begin(self, *, seconds: float, job_count: int) -> None:
        """Do all of it within so many seconds."""
        draw = self.chance.random
        for number in range(self.chance.choice((0, 1, 1, 2, 3))):
            self._at(seconds * 0.5 * draw() * number, self._top_up)
        if self._fancy.random() < 0.2:
            self._at(seconds * self._fancy.random(), self._pay_offline)
        if draw() < 0.02:
            for _ in range(24):
                self._at(1.0 + draw(), self._open)
        for number in range(job_count):
            self._at(seconds * 0.7 * draw(), partial(self._submit, number))

    def leave(self) -> None:
        """Do nothing more."""
        self.process.kill()
        self._refunds.process.kill()
        self._disputes.process.kill()

    def _at(self, seconds: float, work: Callable[[], None]) -> None:
        at = self.scheduler.now + seconds
        self.scheduler.at(at, self.process.spawn, work)

    # Money.

    def _open(self, *, month: bool = False) -> Any:
        self._orders += 1
        key = f"order-{self._orders}"
        body = orders.OpenOrder(amount_fen=100 * self.chance.randint(1, 20))
        if month or self._fancy.random() < 0.3:
            body = orders.OpenOrder(kind=OrderKind.MEMBERSHIP, plan="basic")
        body = msgspec.structs.replace(body, channel=self._tills.wished())
        ports = self.control.ports
        made = self.try_to(lambda: orders.open(ports, self.who, body, key=key))
        return made.value if made else None

    def _top_up(self) -> None:
        order = self._open()
        if order is None:
            return
        body = orders.PayOrder(method=PayMethod.PAGE)
        ports, draw, till = self.control.ports, self.chance.random, self._tills[order.channel]
        if self.try_to(lambda: orders.pay(ports, self.who, order.id, body)) is None:
            return
        kind = draw()
        if kind < 0.1:
            return  # He thinks better of it.
        if kind < 0.2:
            till.scan(order.id, order.amount_fen)
        if 0.15 < kind < 0.35:
            self._at(20 * draw(), lambda: self._give_up(order.id))
        if kind < 0.15:
            return
        self.scheduler.sleep(1200 * draw() if draw() < 0.1 else 20 * draw())
        again = order.plan is not None and self._fancy.random() < 0.6
        another = self._open(month=True) if again else None
        till.pay(order.id, order.amount_fen)
        if another is not None:
            self._tills[another.channel].pay(another.id, another.amount_fen)
        if not self._refunds.begin(order.id, order.amount_fen, channel=order.channel):
            # What the console has given back, no channel takes back once more.
            self._disputes.begin(order.id, order.amount_fen)
        if draw() < 0.05:
            self.scheduler.sleep(30 * draw())
            till.pay_again(order.id, order.amount_fen)

    def _pay_offline(self) -> None:
        """Have two payments booked by hand, in the same moment."""
        for number in (1, 2):
            body = ledger.Adjustment(
                account=self.who.account,
                amount_fen=300,
                reason="offline",
                reference=f"off-{number}",
            )
            self.process.spawn(partial(self._book, body))

    def _book(self, body: ledger.Adjustment) -> None:
        self.try_to(lambda: ledger.adjust(self.control.ports, OPERATOR, body))

    def _give_up(self, order: str) -> None:
        self.try_to(lambda: orders.cancel(self.control.ports, self.who, order))

    # Work.

    def _submit(self, number: int) -> None:
        plan = f"{self.who.account}-{number}"
        spec: JobSpec | Submission
        spec, self.programs[plan] = drawn_work(self.chance, plan)
        if self._fancy.random() < 0.35:
            spec = self._of_a_template()
        key = f"job-{number}"
        if self.chance.random() < 0.2:  # The client's own library tries again, too early.
            self.process.spawn(lambda: self._send(spec, key))
        job = self._send(spec, key)
        if job is not None and self.chance.random() < 0.25:
            self.scheduler.sleep(40 * self.chance.random() ** 2)
            self.try_to(lambda: jobs.cancel(self.control.ports, self.who, job))

    def _of_a_template(self) -> Submission:
        """Draw a job of a template, or of one that is not there, or with a wrong input."""
        draw = self._fancy
        return Submission(
            template=draw.choice(("one", "one", "two", "three", "none")),
            input={"size": draw.choice((1, 9, 9, 10))},
            queue_ttl_s=draw.choice((20, 120, 600)),
        )

    def _send(self, spec: JobSpec | Submission, key: str) -> str | None:
        ports = self.control.ports
        made = self.try_to(lambda: jobs.submit(ports, self.who, spec, key=key))
        if made is None:
            return None
        self.answers.setdefault(key, set()).add(made.value.id)
        return made.value.id


class Operator(Person):
    """Drains, revokes, bans; and asks agents to leave."""

    def __init__(
        self,
        control: Control,
        chance: Random,
        who: Principal,
        *,
        host_ids: list[str],
        account_ids: list[str],
    ) -> None:
        super().__init__(control, chance, "operator")
        self.who = who
        self._hosts = host_ids
        self._accounts = account_ids

    def begin(self, *, seconds: float) -> None:
        """Do something now and then within so many seconds."""

        def live() -> None:
            ends = self.scheduler.now + seconds
            while True:
                self.scheduler.sleep(seconds * self.chance.random())
                if self.scheduler.now >= ends:
                    return
                self._act()

        self.process.spawn(live)

    def _act(self) -> None:
        chance, ports = self.chance, self.control.ports
        host, account = chance.choice(self._hosts), chance.choice(self._accounts)
        kind = chance.random()
        if kind < 0.35:
            limit = chance.choice((0, 5, 30, 300))
            self.try_to(lambda: hosts.drain(ports, host, deadline_seconds=limit))
        elif kind < 0.6:
            self.try_to(lambda: hosts.undrain(ports, host))
        elif kind < 0.7:
            self.try_to(lambda: hosts.revoke(ports, host))
        elif kind < 0.85:
            self.try_to(lambda: accounts.ban(ports, self.who, account))
        else:
            self.try_to(lambda: accounts.unban(ports, self.who, account))


def drawn_work(chance: Random, plan: str) -> tuple[JobSpec, list[Program]]:
    """Draw a job, and what each of its attempts does."""
    max_run = chance.choice((5, 20, 60))
    retry = Retry(
        max_attempts=chance.choice((1, 1, 1, 2, 3)),
        rules=chance.choice(
            (
                (),
                (),
                (RetryRule(exit_codes=(3,)),),
                (RetryRule(reasons=(ReasonCode.OUT_OF_MEMORY,)),),
            )
        ),
        backoff_base_s=chance.choice((0, 1, 10)),
    )
    disk_mb = chance.choice((16, 64))
    spec = JobSpec(
        image=LOCAL_IMAGE if chance.random() < 0.8 else PULLED_IMAGE,
        command=("work",),
        env={"PLAN": plan},
        resources=Resources(
            cpu_millis=chance.choice((100, 500, 1000)),
            memory_mb=chance.choice((16, 512)),
            disk_mb=disk_mb,
        ),
        max_run_s=max_run,
        queue_ttl_s=chance.choice((20, 120, 600)),
        stop_grace_s=chance.choice((1, 3, 10)),
        labels=chance.choice(({}, {}, {}, {"zone": "a"})),
        priority=chance.choice(tuple(Priority)),
        retry=retry,
        on_host_lost=chance.choice((OnHostLost.RERUN, OnHostLost.RERUN, OnHostLost.WAIT)),
        max_cost_fen=chance.choice((None, None, None, 40)),
    )
    programs = [drawn_program(chance, max_run, disk_mb) for _ in range(8)]
    return _with_files(spec, programs, Random(f"{plan} {spec}"))


def _with_files(
    spec: JobSpec, programs: list[Program], chance: Random
) -> tuple[JobSpec, list[Program]]:
    """Give some jobs an input, and have some leave files; with chances that are nobody else's."""
    given = {"plan": spec.env["PLAN"], "half": 0.5} if chance.random() < 0.3 else None
    wanted = chance.choice(((), (), (OUT,), (OUT, "/wharfage/none")))
    left = [
        replace(each, leaves=((OUT, b"%s %d" % (spec.env["PLAN"].encode(), number)),))
        for number, each in enumerate(programs)
    ]
    return msgspec.structs.replace(spec, input=given, outputs=wanted), left


def drawn_program(chance: Random, max_run: int, disk_mb: int) -> Program:
    """Draw what one attempt does."""
    seconds = chance.choice((0.0, 0.05, 1.0, max_run * 0.5 * chance.random(), 1.5 * max_run))
    lines = tuple(
        (
            seconds * chance.choice((1.0, chance.random())),  # The last words of a program count.
            chance.choice(("stdout", "stderr")),
            b"%d\n" % number,
        )
        for number in range(chance.choice((0, 1, 3)))
    )
    kind = chance.random()
    return Program(
        seconds=seconds,
        exit_code=chance.choice((0, 0, 0, 3, 7)),
        oom=kind < 0.08,
        heeds_term=chance.random() < 0.7,
        disk_mb=disk_mb * 2 if 0.08 < kind < 0.12 else 0,
        starts=kind < 0.97,
        output=tuple(sorted(lines, key=lambda line: line[0])),
    )
