"""What must hold once faults have stopped: J6 to J8, M7, R1, logs, and nothing left over."""

from datetime import datetime
from typing import TYPE_CHECKING

from tests.fixtures import ledger
from tests.fixtures.objects import sha256
from tests.simulation.alipay import Trade
from tests.simulation.trace import Violation
from wharfage import items, schema
from wharfage.domain.account import Principal, Role
from wharfage.domain.attempt import AttemptState, ReasonClass
from wharfage.domain.host import HostFacts
from wharfage.domain.job import AttemptRecord, Job
from wharfage.domain.log import Stream
from wharfage.domain.output import OutputSet
from wharfage.domain.placement import matches, takes_work
from wharfage.domain.refund import RefundState
from wharfage.operations import logs
from wharfage.transaction import Item

if TYPE_CHECKING:
    from tests.simulation.world import World

OVERDUE_SECONDS = 100  #: A sweeper that is well moves everything on within this.
STARVED_SECONDS = 150  #: A job that a free host could run is claimed within this.
LEFT_OVER_SECONDS = 180  #: Two reconciles, a settling start and a stop's grace.


class Settling:
    """Watches a healed world come to rest."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._starved: dict[tuple[str, int], float] = {}
        self._left: dict[tuple[str, str], float] = {}

    def look(self) -> bool:
        """Check what must not last; tell whether everything has come to rest."""
        world = self._world
        rows = world.store.rows
        now = world.clock.now()
        open_jobs = [item for item in rows.jobs() if "ended_at" not in item]
        for item in open_jobs:
            since = max(_moment(item["due_at"]), world.healed)
            late = (now - since).total_seconds()
            if late > OVERDUE_SECONDS:
                raise Violation("J6", item["id"], f"{item['id']} is {late:.0f} s overdue")
            self._look_for_hunger(item)
        left = self._look_for_leftovers()
        return not (open_jobs or left or self._busy() or world.tills.waiting)

    def _busy(self) -> bool:
        return any(
            machine.parts is not None
            and machine.process is not None
            and not machine.process.dead
            and machine.parts.worker.busy
            for machine in self._world.machines
        )

    def _look_for_hunger(self, item: Item) -> None:
        world = self._world
        job = items.decode(item)
        assert isinstance(job, Job)
        now = world.scheduler.now
        if item["state"] != "queued" or not self._could_run(job):
            self._starved.pop((job.id, job.attempt), None)
            return
        since = self._starved.setdefault((job.id, job.attempt), now)
        if now - since > STARVED_SECONDS:
            raise Violation(
                "J6", job.id, f"{job.id} waits for {now - since:.0f} s beside free hosts"
            )

    def _could_run(self, job: Job) -> bool:
        world = self._world
        for machine in world.machines:
            host = world.calm.store.get(schema.HOST.key(id=machine.identity.host))
            facts: HostFacts | None = world.calm.store.get(
                schema.FACTS.key(id=machine.identity.host)
            )
            if host is None or facts is None or not machine.sound:
                continue
            free = host.free is not None and host.free.fits(job.resources)
            if free and takes_work(host, world.clock.now()) and matches(job, facts):
                return True
        return False

    def _look_for_leftovers(self) -> bool:
        world = self._world
        now = world.scheduler.now
        seen = set()
        for machine in world.machines:
            if not machine.on:
                continue
            for box in machine.engine.boxes.values():
                job, attempt = world.attempt_of(box)
                seen.add((machine.name, box.view.id))
                if world.work.assigned.get(job, ("", 0))[:2] == (machine.identity.host, attempt):
                    self._left.pop((machine.name, box.view.id), None)
                    continue
                since = self._left.setdefault((machine.name, box.view.id), now)
                if now - since > LEFT_OVER_SECONDS:
                    raise Violation(
                        "J7", job, f"{box.view.name} is left on {machine.name}: {box.view.status}"
                    )
        return bool(seen)


def check_end(world: "World") -> None:
    """Check the whole world at rest."""
    ledger_holds(world)
    for customer in world.customers:
        for key, made in customer.answers.items():
            known = {world.work.keys.get((customer.who.account, key))}
            if made != known:
                raise Violation("R1", customer.who.account, f"{key} made {made}, kept {known}")
    for item in world.store.rows.jobs():
        _check_job(world, item)
    _check_payments(world)
    _check_outputs(world)
    for customer in world.customers:
        _check_news(world, customer.who.account)
    due = world.store.rows.due()
    if due:
        raise Violation("J6", due[0][2], f"still due at the end: {due}")


def ledger_holds(world: "World") -> None:
    """Replay everything from its rows (M1 to M4, M8, M9)."""
    try:
        ledger.check(world.calm.store)
    except AssertionError as error:
        raise Violation("M8", "", str(error)) from error


def _check_outputs(world: "World") -> None:
    """What is listed is there, and is what that attempt left; nothing else is kept (R3)."""
    for item in world.store.rows.of(schema.OUTPUTS):
        outputs = items.decode(item)
        assert isinstance(outputs, OutputSet)
        for key, output in zip(outputs.object_keys, outputs.items, strict=True):
            left = b" %d" % (outputs.attempt % 8)
            data = world.objects.kept.get(key, b"")
            if sha256(data) != output.sha256 or not data.endswith(left):
                raise Violation("R3", outputs.job, f"{key} is listed, and is {data!r}")
    for key in world.objects.kept:
        if not key.startswith("outputs/") or key.count("/") != 4:
            raise Violation("R3", "", f"{key} is kept, and nobody asked for it")


def _check_payments(world: "World") -> None:
    for till, order, trades in world.tills.book():
        for trade in trades:
            key = schema.PAYMENT.key(channel=till, order=order, trade_no=trade.trade_no)
            recorded = world.store.rows.peek(key)
            if recorded is None:
                if trade.status.paid:
                    raise Violation("M7", order, f"{trade.trade_no} paid {order}: not recorded")
                continue  # What went back whole before it was seen leaves nothing to record.
            _check_refunds(world, trade)
            by_hand = any(number.startswith("console") for number in trade.refunds)
            whole = sum(trade.refunds.values()) == trade.amount_fen
            if recorded["duplicate"] and not (whole or by_hand or trade.failed):
                raise Violation("M7", order, f"{trade} is a second payment and did not go back")


def _check_refunds(world: "World", trade: Trade) -> None:
    """What went back of a payment is what we have as gone back, number by number."""
    refunds = ledger.rows(world.calm.store, schema.REFUND, trade.order)
    gone = {
        each.id: each.amount_fen
        for each in refunds
        if each.trade_no == trade.trade_no and each.state is RefundState.SUCCEEDED
    }
    if gone != trade.refunds:
        raise Violation("M1", trade.order, f"{trade.refunds} went back, and we have {gone}")


def _check_news(world: "World", account: str) -> None:
    """Nobody is told the same of a membership twice."""
    told = [
        (event.kind, event.data["ends_at"], event.data["days_left"])
        for event in ledger.rows(world.calm.store, schema.EVENT, account, prefix="evt_")
        if event.kind.startswith("membership.")
    ]
    if len(told) != len(set(told)):
        raise Violation("Q5", account, f"told twice: {told}")


def _check_job(world: "World", item: Item) -> None:
    job = items.decode(item)
    assert isinstance(job, Job)
    if not job.terminal:
        raise Violation("J6", job.id, f"{job.id} is {job.state}")
    if world.work.ends.get(job.id) != 1:
        raise Violation("J4", job.id, f"{job.id} has {world.work.ends.get(job.id)} ends")
    if job.user_attempts > job.retry.max_attempts:
        raise Violation("J8", job.id, f"{job.user_attempts} of {job.retry.max_attempts} attempts")
    records = list(ledger.rows(world.calm.store, schema.ATTEMPT, job.id))
    if len(records) != job.attempt:
        raise Violation("J3", job.id, f"{job.attempt} attempts, {len(records)} records")
    _check_stopped(world, job)
    for record in records:
        _check_end_of(world, record)
        _check_log(world, job, record)
        if not world.faulty:
            _check_calm(job, record)


def _check_end_of(world: "World", record: AttemptRecord) -> None:
    """An end is the program's own, or it is ours and free."""
    name = f"{record.job}.{record.attempt}"
    if record.reason_class is ReasonClass.PLATFORM and (record.cost_fen or record.cost_units):
        raise Violation("M9", record.job, f"{name} was our fault: {record}")
    ran = world.starts.ran.get((record.job, record.attempt))
    succeeded = record.state is AttemptState.SUCCEEDED
    if record.exit_code is None and not succeeded:
        return
    if ran is None or ran.exit_code != record.exit_code or (succeeded and ran.exit_code != 0):
        raise Violation("J3", record.job, f"{name} ended otherwise: {ran}, {record}")


def _check_stopped(world: "World", job: Job) -> None:
    """What was live when its account was suspended is stopped, not waited for."""
    balance = world.calm.store.get(schema.BALANCE.key(account=job.account))
    if balance is None or balance.suspended_at is None or job.stop_reason is not None:
        return
    assert job.ended_at is not None
    late = (job.ended_at - max(balance.suspended_at, world.healed)).total_seconds()
    if late > OVERDUE_SECONDS:
        raise Violation("Q2", job.id, f"{job.id} went on {late:.0f} s while suspended")


def _check_calm(job: Job, record: AttemptRecord) -> None:
    """Where nothing goes wrong, nothing is our fault."""
    expected = (None, "queue_ttl", "host_policy")
    if record.reason_class == "platform" and record.reason_code not in expected:
        raise Violation("J6", job.id, f"{job.id}.{record.attempt} ended {record.reason_code}")


def _check_log(world: "World", job: Job, record: AttemptRecord) -> None:
    """What an owner reads is all that was written, or it is marked."""
    who = Principal(account=job.account, session="ses", role=Role.USER)
    read: dict[Stream, bytes] = dict.fromkeys(Stream, b"")
    cursor = None
    while True:
        page = logs.read(world.calm, who, job.id, cursor=cursor, attempt=record.attempt)
        for part in page.items:
            read[part.stream] += part.data
        if page.complete or not page.items:
            break
        cursor = page.next_cursor
    written = world.written.get((job.id, record.attempt), {})
    name = f"{job.id}.{record.attempt}"
    if not page.complete:
        raise Violation("L1", job.id, f"the log of {name} never ends")
    for stream in Stream:
        truth = written.get(stream.value, b"")
        if not truth.startswith(read[stream]):
            raise Violation("L1", job.id, f"{name} {stream}: {read[stream]!r} of {truth!r}")
        if not (page.gap or page.truncated) and read[stream] != truth:
            raise Violation(
                "L1", job.id, f"{name} {stream} is unmarked: {read[stream]!r} of {truth!r}"
            )
    if page.gap and not world.faulty:
        raise Violation("L1", job.id, f"the log of {name} has a gap without a fault")


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))
