"""The store's file, read at one instant again and again: what must hold at every one of them."""

import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.fixtures.ledger import SPENT
from wharfage import items, schema
from wharfage.adapters import sqlite
from wharfage.domain.attempt import AttemptState
from wharfage.domain.balance import Balance, Entry, EntryCode, Hold, HoldState
from wharfage.domain.host import Assignment, Host
from wharfage.domain.job import AttemptRecord, Job
from wharfage.domain.order import Order, OrderState
from wharfage.domain.record import Record

R = TypeVar("R", bound=Record)

EVERY_SECONDS = 1.5
_RECORDS = """
SELECT item FROM items
WHERE name = 'money' OR name = 'hosts' OR (name = 'work' AND sort != 'spec')
"""
_KINDS = (Balance, Entry, Hold, Order, Job, AttemptRecord, Assignment, Host)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every row of money, work and hosts, as they were together at one instant."""

    rows: dict[type[Record], list[Record]]

    def all(self, kind: type[R]) -> list[R]:
        return self.rows.get(kind, [])  # type: ignore[return-value]


def read(store: Path) -> Snapshot:
    """Read the file without ever writing to it. Raises: sqlite3.OperationalError."""
    rows: dict[type[Record], list[Record]] = defaultdict(list)
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=5)) as connection:
        for (raw,) in connection.execute(_RECORDS):
            record = items.decode(sqlite._decode(raw))
            if isinstance(record, _KINDS):
                rows[type(record)].append(record)
    return Snapshot(rows)


def money_faults(seen: Snapshot) -> list[str]:
    """Say what is wrong with the money of one instant (M1-M4, M8)."""
    found = []
    entries, holds = Counter[str](), Counter[str]()
    for entry in seen.all(Entry):
        entries[entry.account] += entry.amount_fen
    for hold in seen.all(Hold):
        if hold.state is HoldState.OPEN:
            holds[hold.account] += hold.amount_fen
    for row in seen.all(Balance):
        if min(row.available, row.held, row.debt) < 0:
            found.append(f"M2 {row.account}: {row.available} {row.held} {row.debt}")
        if row.available + row.held - row.debt != entries[row.account]:
            found.append(f"M8 {row.account}: has {row}, moved {entries[row.account]}")
        if row.held != holds[row.account]:
            found.append(f"M4 {row.account}: holds {row.held}, open holds {holds[row.account]}")
    total = sum(row.available + row.held - row.debt for row in seen.all(Balance))
    spent = -sum(e.amount_fen for e in seen.all(Entry) if e.code in SPENT)
    credited = sum(e.amount_fen for e in seen.all(Entry) if e.code is EntryCode.TOPUP)
    paid = sum(o.amount_fen for o in seen.all(Order) if o.state is OrderState.PAID)
    if total + spent != paid or credited != paid:
        found.append(f"M1 total {total}, spent {spent}, credited {credited}, paid {paid}")
    return found + _hold_faults(seen)


def _hold_faults(seen: Snapshot) -> list[str]:
    holds = {hold.id: hold for hold in seen.all(Hold)}
    return [
        f"M3 {job.id}: ended={job.terminal}, its hold is {holds[job.hold].state}"
        for job in seen.all(Job)
        if job.terminal is not (holds[job.hold].state is HoldState.SETTLED)
    ]


def work_faults(seen: Snapshot) -> list[str]:
    """Say what is wrong with the attempts of one instant (J2)."""
    jobs = {job.id: job for job in seen.all(Job)}
    owners = Counter((each.job, each.attempt) for each in seen.all(Assignment))
    found = [f"J2 {key} has {count} owners" for key, count in owners.items() if count > 1]
    for each in seen.all(Assignment):
        job = jobs[each.job]
        if (job.attempt, job.host, job.claim_id) != (each.attempt, each.host, each.claim_id):
            found.append(f"J2 {each.job}: assigned to {each.host}, owned by {job.host}")
    return found


@dataclass
class Progress:
    """What earlier instants forbid later ones: going back (J3, J4)."""

    ranks: dict[tuple[str, int], int] = field(default_factory=dict)
    ends: dict[tuple[str, int], AttemptRecord] = field(default_factory=dict)
    ended: dict[str, AttemptState] = field(default_factory=dict)

    def faults(self, seen: Snapshot) -> list[str]:
        found = [
            f"J3 {record.job}.{record.attempt} ended twice"
            for record in seen.all(AttemptRecord)
            if self.ends.setdefault((record.job, record.attempt), record) != record
        ]
        for job in seen.all(Job):
            key = (job.id, job.attempt)
            if job.state.rank < self.ranks.get(key, 0):
                found.append(f"J4 {key} went back to {job.state}")
            self.ranks[key] = job.state.rank
            if job.id in self.ended and not job.terminal:
                found.append(f"J4 {job.id} was reopened")
            if job.terminal and self.ended.setdefault(job.id, job.state) is not job.state:
                found.append(f"J4 {job.id} ended as {self.ended[job.id]} and as {job.state}")
        return found


class Auditor:
    """Reads the books all the time, in a thread, and keeps every fault it sees."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._progress = Progress()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="auditor", daemon=True)
        self.reads = 0
        self.missed = 0  #: Reads that the file did not allow, while its owner had just died.
        self.faults: list[str] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def look(self) -> Snapshot:
        """Read once, and check. Raises: sqlite3.OperationalError."""
        with self._lock:  # What is read first is compared first.
            seen = read(self._store)
            for fault in (*money_faults(seen), *work_faults(seen), *self._progress.faults(seen)):
                self.faults.append(f"{time.time():.1f} {fault}")
            self.reads += 1
        return seen

    def _run(self) -> None:
        while not self._done.wait(EVERY_SECONDS):
            try:
                self.look()
            except sqlite3.OperationalError:
                self.missed += 1


def boot_of(store: Path, host: str) -> str | None:
    """Read which life of a host's agent was heard last."""
    key = schema.HOST.key(id=host)
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=5)) as connection:
        found = connection.execute(
            "SELECT item FROM items WHERE name = ? AND partition = ? AND sort = ?",
            (key.table, key.partition, key.sort),
        ).fetchone()
    record = items.decode(sqlite._decode(found[0]))
    assert isinstance(record, Host)
    return record.boot


def wait_for(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> float | None:
    """Wait for a condition; return after how many seconds it held, None if it never did."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():
            return time.monotonic() - began
        time.sleep(every)
    return None


def by_id(jobs: Iterable[Job]) -> dict[str, Job]:
    return {job.id: job for job in jobs}
