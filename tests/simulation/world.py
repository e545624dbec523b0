"""One seed, one world: everything put together, its faults, its healing, its rest."""

import logging
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from tests.fixtures.money import OPERATOR
from tests.fixtures.objects import MemoryObjects
from tests.fixtures.work import PRICES
from tests.simulation import checks_usage, debts, units
from tests.simulation.bells import SimSqs
from tests.simulation.carrier import ControlClock, HostClock
from tests.simulation.checks_channels import AskingChecks
from tests.simulation.checks_end import Settling, check_end
from tests.simulation.checks_money import MoneyChecks
from tests.simulation.checks_units import UnitChecks
from tests.simulation.checks_work import StartChecks, WorkChecks
from tests.simulation.engine import Box, Program, SimEngine
from tests.simulation.faults import Faults
from tests.simulation.machine import Identity, Machine
from tests.simulation.network import Control
from tests.simulation.people import Customer, Operator
from tests.simulation.schedule import Process, Scheduler
from tests.simulation.settings import Settings
from tests.simulation.stand_ins import TERMS, PlainPasswords, SimCredentials, SimIds, never
from tests.simulation.store import SimStore, Written
from tests.simulation.tills import Tills
from tests.simulation.trace import TRACED, Errors, Row, Trace, Violation
from wharfage.adapters.breakers import Breakers
from wharfage.adapters.store import RecordStore
from wharfage.domain.account import Principal, Role
from wharfage.domain.errors import NotifyRefused, Refused
from wharfage.domain.host import Room
from wharfage.domain.limits import LOG_GAP_SECONDS
from wharfage.domain.trade import NotifyRequest
from wharfage.messages import EnrolRequest
from wharfage.operations import accounts, agents, hosts, ledger, payments, sweep
from wharfage.ports import Ports
from wharfage_agent.containers import WORK_LABELS
from wharfage_agent.policy import Policy

SWEEP_SECONDS = 10.0
IDLE_SWEEP_SECONDS = 60.0
REST_SECONDS = 7200.0  #: A healed world comes to rest within this.
EMPTY_SECONDS = 6 * 3600.0  #: And then nothing is due any more within this.
LOOK_SECONDS = 5.0
AWAKE_SECONDS = 10.0  #: Before a healed world is looked at.
ROOM = Room(slots=8, cpu_millis=2000, memory_mb=8192, disk_mb=90_000)


class World:
    """Everything there is."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faulty = settings.faulty or settings.operator
        self.trace = Trace()
        self.scheduler = scheduler = Scheduler()
        self.written: dict[tuple[str, int], dict[str, bytes]] = {}
        seed, rates = settings.seed, settings.rates
        self.clock = ControlClock(scheduler)
        store = self.store = SimStore(scheduler, Random(f"store {seed}"), rates, self._audit)
        self.tills = Tills(settings, scheduler, self.trace, page=store.rows.page)
        breakers = Breakers(self.clock)
        self.sqs = SimSqs(scheduler, Random(f"sqs {seed}"), rates)
        self.objects = MemoryObjects(self.clock)
        ports = Ports(
            store=self.store,
            queue=self.sqs,
            channels={till.name: breakers.around(till) for till in self.tills},
            breakers=breakers,
            clock=self.clock,
            ids=SimIds(),
            passwords=PlainPasswords(),
            access_tokens=None,  # type: ignore[arg-type]
            credentials=SimCredentials(self.clock),
            objects=self.objects,
            prices=PRICES,
            plans=units.PLANS,
            terms=TERMS,
        )
        #: The same store without faults and without waiting, for set-up and for looking.
        self.calm = replace(
            ports, store=RecordStore(self.store.rows, pause=never, chance=lambda: 0.0)
        )
        self.control = Control(scheduler, Random(f"control {seed}"), rates, ports)
        self.control.note = lambda *facts: self.trace.note(scheduler.now, *facts)
        self.money = MoneyChecks(
            ran=lambda job, attempt: self.starts.ran.get((job, attempt)),
            paid=self.tills.paid,
            gone=self.tills.gone,
            now=lambda: scheduler.now,
            units=UnitChecks(now=self.clock.now),
        )
        self.tills.tell(self._post, credited=self.money.credits)
        self.asking = AskingChecks(self.tills, now=self.clock.now, seconds=lambda: scheduler.now)
        self.work = WorkChecks(request=self._request, rows=lambda: store.rows, today=self.clock.now)
        self.starts = StartChecks(
            now=lambda: scheduler.now,
            well_since=lambda name: self._machine(name).impaired_at,
            grace=self._grace,
            owns=self._owns,
            later=lambda seconds, work: scheduler.at(scheduler.now + seconds, work),
        )
        self.machines: list[Machine] = []
        self.customers: list[Customer] = []
        self.programs: dict[str, list[Program]] = {}  #: Of templates.
        self._chance = Random(f"world {seed}")
        self.healed = self.clock.now()
        self.faults: Faults | None = None

    def run(self) -> None:
        """Live from the beginning to the end. Raises: Violation, and whatever was not expected."""
        logger, handler = logging.getLogger(), Errors(self.trace, lambda: scheduler.now)
        settings, scheduler = self.settings, self.scheduler
        logger.addHandler(handler)
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            self._begin()
            scheduler.run(settings.seconds)
            self._heal()
            scheduler.run(scheduler.now + AWAKE_SECONDS)
            settling = Settling(self)
            self._until(settling.look, scheduler.now + REST_SECONDS, LOOK_SECONDS)
            self._leave()
            scheduler.run(scheduler.now + AWAKE_SECONDS)
            self._until(self._empty, scheduler.now + EMPTY_SECONDS, 60.0)
            for customer in self.customers:
                customer.leave()
            scheduler.run(scheduler.now + LOG_GAP_SECONDS + 1.0)
            self._until(self._empty, scheduler.now + EMPTY_SECONDS, 60.0)  # After a late notify.
            check_end(self)
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)
            self._end()

    def _empty(self) -> bool:
        return not (self.store.rows.due() or self.tills.waiting or self._lingering())

    def attempt_of(self, box: Box) -> tuple[str, int]:
        """Tell which attempt a container is of."""
        labels = box.view.labels
        return labels[WORK_LABELS["job"]], int(labels[WORK_LABELS["attempt"]])

    # Set-up.

    def _begin(self) -> None:
        settings, chance = self.settings, self._chance
        self.programs = units.define(self.calm, Random(f"templates {settings.seed}"))
        for number in range(settings.customers):
            self.customers.append(self._customer(number))
        for number in range(settings.hosts):
            self.machines.append(self._enrolled(number))
        if settings.twin:
            self.machines.append(self._twin(self.machines[0]))
            for machine in (self.machines[0], self.machines[-1]):
                machine.note_impaired(settings.seconds)  # Each fences the other all the time.
        self.faults = Faults(
            settings,
            self.scheduler,
            self.trace,
            machines=self.machines,
            control=self.control,
            store=self.store,
            sqs=self.sqs,
        )
        self.faults.begin()
        self.tills.begin()
        for machine in self.machines:
            self.scheduler.at(2.0 * chance.random(), machine.begin)
        shares = [settings.jobs // len(self.customers)] * len(self.customers)
        shares[0] += settings.jobs % len(self.customers)
        for customer, share in zip(self.customers, shares, strict=True):
            customer.begin(seconds=settings.seconds, job_count=share)
        if settings.operator:
            Operator(
                self.control,
                Random(f"operator {settings.seed}"),
                OPERATOR,
                host_ids=[machine.identity.host for machine in self.machines],
                account_ids=[customer.who.account for customer in self.customers],
            ).begin(seconds=settings.seconds)
        for number in range(settings.sweepers):
            Process(self.scheduler, f"sweeper-{number}").spawn(self._sweep_on)

    def _customer(self, number: int) -> Customer:
        calm = self.calm
        view = accounts.register(
            calm, email=f"c{number}@example.com", password="a long password", address="10.0.0.1"
        )
        quotas = checks_usage.drawn(Random(f"quotas {number} {self.settings.seed}"))
        accounts.set_quotas(calm, OPERATOR, view.id, quotas)
        self.money.usage.quotas[view.id] = quotas
        who = Principal(account=view.id, session="ses", role=Role.USER, quotas=quotas)
        funds = self._chance.choice((0, 15, 70, 75, 150, 500, 5000))
        if funds:
            body = ledger.Adjustment(
                account=view.id, amount_fen=funds, reason="begin", reference="begin"
            )
            ledger.adjust(calm, OPERATOR, body)
        owed = Random(f"debt {number} {self.settings.seed}")
        debts.owe_before(calm, view.id, owed, self.settings.seconds)
        bought = Random(f"units {number} {self.settings.seed}")
        units.join_before(calm, self.tills["alipay"], who, bought, self.settings.seconds)
        chance = Random(f"customer {number} {self.settings.seed}")
        return Customer(self.control, chance, who, self.tills)

    def _enrolled(self, number: int) -> Machine:
        chance = self._chance
        labels = {"zone": "a"} if number == 0 or chance.random() < 0.5 else {}
        code = hosts.issue_code(self.calm, OPERATOR, pool="default", labels=labels)
        request = EnrolRequest(
            code=code.code,
            name=f"m{number}",
            capacity=ROOM,
            architecture="amd64",
            engine_version="20.10",
            agent_version="1.0",
        )
        reply = agents.enrol(self.calm, request, local=True)
        machine = self._new_machine(f"m{number}", number)
        identity = Identity(host=reply.host, token=reply.token)
        machine.join(identity, self.control, self.sqs, wire=self.settings.wire)
        return machine

    def _twin(self, first: Machine) -> Machine:
        """Make a machine from a copy of another's disk: both use one token."""
        twin = self._new_machine("twin", 99)
        twin.disk = first.disk.copied()
        twin.join(first.identity, self.control, self.sqs, wire=self.settings.wire)
        return twin

    def _new_machine(self, name: str, number: int) -> Machine:
        settings, chance = self.settings, self._chance
        # A copy whose clock is far ahead keeps the first away until that time has come.
        most = min(1.0, settings.skew_seconds) if settings.twin else settings.skew_seconds
        skew = most * (2 * chance.random() - 1)
        clock = HostClock(self.scheduler, offset=1000.0 * number, skew=skew)
        engine = SimEngine(
            self.scheduler,
            Random(f"engine {name} {settings.seed}"),
            now=clock.now,
            program=self._program,
            watcher=self,
            event_missed=settings.rates["engine_event_missed"],
        )
        engine.name = name
        policy = Policy(
            local_images=("local/",),
            slots=chance.choice((1, 2, 4, 8)),
            allowed_registries=chance.choice((None, None, None, ())),
        )
        return Machine(
            name,
            scheduler=self.scheduler,
            chance=Random(f"machine {name} {settings.seed}"),
            engine=engine,
            clock=clock,
            policy=policy,
        )

    def _program(self, config: dict[str, Any]) -> Program:
        environment = dict(pair.split("=", 1) for pair in config["Env"])
        plans = (self.programs, *(customer.programs for customer in self.customers))
        programs = next(each[environment["PLAN"]] for each in plans if environment["PLAN"] in each)
        return programs[int(environment["WHARFAGE_ATTEMPT"]) % len(programs)]

    # What goes on.

    def _sweep_on(self) -> None:
        """Sweep as `functions/sweep` does: often while there is work, else once a minute."""
        scheduler, working = self.scheduler, [True]

        def once() -> None:
            working[0] = True  # If it dies the next one comes soon.
            working[0] = sweep.sweep(self.control.ports).working

        while True:
            seconds = SWEEP_SECONDS if working[0] else IDLE_SWEEP_SECONDS
            scheduler.sleep(seconds * (0.8 + 0.2 * self._chance.random()))
            assert self.faults is not None
            if scheduler.now >= self.faults.sweeper_paused_until and not self.control.away:
                self.control.serve(once)

    def _post(self, channel: str, request: NotifyRequest, success: Callable[[], None]) -> None:
        """Deliver a notify; when it is answered with success, say so."""
        if self.control.away:
            return

        def work() -> None:
            try:
                payments.receive(self.control.ports, channel, request)
            except NotifyRefused as refusal:
                self.trace.note(self.scheduler.now, "notify refused:", refusal.step)
                return
            except Refused:
                return
            if self._chance.random() >= self.settings.rates["answer_lost"]:
                success()

        self.control.serve(work)

    def _heal(self) -> None:
        self.trace.note(self.scheduler.now, "healed")
        assert self.faults is not None
        self.faults.heal()
        self.tills.heal()
        if self.settings.twin:  # Somebody notices, and turns it off for good.
            twin = self.machines[-1]
            twin.on = False
            twin.kill()
            twin.engine.stop(live_restore=False)
        for machine in self.machines:
            machine.impaired_at = max(machine.impaired_at, self.scheduler.now)
        self.healed = self.clock.now()

    def _leave(self) -> None:
        """Have every agent drain and end, so that nobody is left to be waited for."""
        self.trace.note(self.scheduler.now, "leaving")
        for machine in self.machines:
            machine.supervised = False
            if machine.loops is not None and machine.process and not machine.process.dead:
                machine.loops.ask_to_leave()

    def _until(self, done: Callable[[], bool], deadline: float, step: float) -> None:
        while not done():
            if self.scheduler.now >= deadline:
                raise Violation("J6", "", f"the world does not come to rest: {self._restless()}")
            self.scheduler.run(self.scheduler.now + step)

    def _lingering(self) -> bool:
        """Tell whether an agent has not left yet: it may have been frozen all the while."""
        return any(each.process is not None and not each.process.dead for each in self.machines)

    def _restless(self) -> str:
        open_jobs = [item["id"] for item in self.store.rows.jobs() if "ended_at" not in item]
        boxes = [box.view.name for m in self.machines for box in m.engine.boxes.values()]
        return f"{open_jobs} {boxes} {self.tills.waiting} {self.store.rows.due()}"

    def _end(self) -> None:
        for machine in self.machines:
            if machine.process is not None:
                machine.process.dead = True

    # For the checkers.

    def started(self, engine: SimEngine, box: Box) -> None:
        job, attempt = self.attempt_of(box)
        self.trace.note(self.scheduler.now, engine.name, "starts", box.view.name)
        self.starts.started(job, attempt, engine.name)

    def ended(self, engine: SimEngine, box: Box) -> None:
        job, attempt = self.attempt_of(box)
        self.trace.note(self.scheduler.now, engine.name, "ended", box.view.name, box.view.exit_code)
        self.starts.ended(job, attempt, box.view.exit_code)
        written: dict[str, bytes] = {}
        for stream, run in (*box.written, *box.unread):
            written[stream] = written.get(stream, b"") + run
        self.written[job, attempt] = written

    def _audit(self, written: Written) -> None:
        for key, before, after in written:
            if after is not None and after.get("status") == "revoked":
                self._note_revoked(after["id"])
            if key.table in TRACED:
                self.trace.note(self.scheduler.now, "write", Row(before), "->", Row(after))
        self.money.check(written)
        self.asking.check(written)
        self.work.check(written)

    def _note_revoked(self, host: str) -> None:
        """From now on that host's work is given away, before it can know."""
        for machine in self.machines:
            if machine.identity.host == host:
                machine.note_impaired(60.0)

    def _request(self) -> Any:
        task = self.scheduler.current
        return None if task is None else task.request

    def _machine(self, name: str) -> Machine:
        return next(machine for machine in self.machines if machine.name == name)

    def _grace(self, job: str) -> float:
        item = self.store.rows.job(job)
        assert item is not None
        return float(item["stop_grace_s"])

    def _owns(self, machine: str, job: str, attempt: int) -> bool:
        """Tell whether an attempt is assigned to the host that a machine is (or a twin of it)."""
        host, current, _ = self.work.assigned.get(job, ("", 0, ""))
        return (host, current) == (self._machine(machine).identity.host, attempt)
