"""The simulated store: rows in dictionaries, where every call lets others go first and may fail."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from tests.simulation.carrier import EPOCH
from tests.simulation.schedule import Scheduler
from wharfage.adapters.embedded import DictRows
from wharfage.adapters.faults import FaultyRows, StoreFault
from wharfage.adapters.rows import Change
from wharfage.adapters.store import RecordStore
from wharfage.domain.record import Record
from wharfage.schema import ORDER, Index, Kind, timestamp
from wharfage.transaction import Item, Key

CALL_SECONDS = 0.015  #: The longest ordinary call.
SLOW_SECONDS = 4.0
STALE_SECONDS = 3.0  #: How long an index may lag behind.

MONTHS_END = timestamp(EPOCH + timedelta(days=20))  #: Before this they belong to the world.
GRACE_END = timestamp(EPOCH + timedelta(days=2))  #: When a debt of the world is looked at again.
_NEVER = "~"  #: After every moment.
_LATER = {"membership": MONTHS_END, "period": MONTHS_END, "usage": GRACE_END}

R = TypeVar("R", bound=Record)

_Answer = tuple[float, list[Key[Any]]]  #: When a part of an index was asked, and what it answered.
_NOTHING: _Answer = (0.0, [])

Written = list[tuple[Key[Any], Item | None, Item | None]]
#: Sees each transaction that was applied, at the instant at which it was: key, before, after.
Audit = Callable[[Written], None]


class RequestDied(BaseException):
    """The process that served a request ended in the middle of it."""


class AuditedRows(DictRows):
    """Rows that show each applied transaction to the checkers."""

    def __init__(self, audit: Audit) -> None:
        super().__init__()
        self._audit = audit
        self._written: Written = []
        self._jobs: dict[str, Key[Any]] = {}

    def write(self, changes: Sequence[Change]) -> None:
        self._written = []
        super().write(changes)
        self._audit(self._written)

    def _replace(self, key: Key[Any], old: Item | None, new: Item | None) -> None:
        super()._replace(key, old, new)
        if old is not new:
            self._written.append((key, old, new))
            if old is None and new is not None and new["record"] == "job":
                self._jobs[key.sort] = key

    def page(self, order: str) -> str | None:
        """Look up how the channel names an order's page, as the order has it."""
        item = self._items.get(ORDER.key(id=order))
        return None if item is None else item.get("reference")

    def job(self, job: str) -> Item | None:
        """Look at the row of a job."""
        key = self._jobs.get(job)
        return None if key is None else self._items.get(key)

    def jobs(self) -> list[Item]:
        """Look at the rows of all jobs."""
        return [self._items[key] for key in self._jobs.values()]

    def of(self, kind: Kind[Any]) -> list[Item]:
        """Give every item of a kind."""
        return [item for item in self._items.values() if item["record"] == kind.name]

    def peek(self, key: Key[Any]) -> Item | None:
        """Look at an item without anybody noticing."""
        return self._items.get(key)

    def due(self) -> list[tuple[str, str, str]]:
        """List everything in an index of deadlines: when, and the key.

        But not what comes long after a world is over: ends of months, and of a debt's grace.
        """
        return [
            place
            for (_, index, part), places in self._places.items()
            if index == "due"
            for place in places
            if not place[2].startswith("outputs#")  # They are kept for days.
            and place[0] < _LATER.get(part.partition("#")[0], _NEVER)
        ]

    def indexed(self, table: str, index: str, partition: str) -> bool:
        """Tell whether a part of an index holds anything."""
        return bool(self._places.get((table, index, partition)))


class SwitchingRows:
    """Rows behind a network: before each call everybody else may act."""

    def __init__(
        self, rows: AuditedRows, scheduler: Scheduler, chance: Random, *, slow: float, stale: float
    ) -> None:
        self._rows = rows
        self._scheduler = scheduler
        self._random = chance.random
        self._slow = slow
        self._stale = stale
        self._answers: dict[tuple[str, str, str], _Answer] = {}

    def read(self, keys: Sequence[Key[Any]]) -> list[Item | None]:
        self._pass()
        return self._rows.read(keys)

    def query(self, table: str, partition: str, **how: Any) -> list[Item]:
        self._pass()
        return self._rows.query(table, partition, **how)

    def blank(self, table: str, index: Index, partition: str) -> bool:
        """Tell whether a part of an index holds nothing, and nothing that a stale answer shows."""
        part = (table, index.name, partition)
        if self._rows.indexed(*part) or (self._stale and self._answers.get(part, _NOTHING)[1]):
            return False
        if self._stale:
            self._answers[part] = (self._scheduler.now, [])
        return True

    def nominate(
        self, table: str, index: Index, partition: str, *, until: str | None, limit: int
    ) -> list[Key[Any]]:
        part = (table, index.name, partition)
        self._pass()
        found = self._rows.nominate(table, index, partition, until=until, limit=limit)
        if not self._stale:
            return found
        now = self._scheduler.now
        asked_at, old = self._answers.get(part, (now, []))
        if old != found and now - asked_at < STALE_SECONDS and self._random() < self._stale:
            return old[:limit]
        self._answers[part] = (now, found)
        return found

    def timeline(self, table: str, index: Index, partition: str, **how: Any) -> list[Item]:
        self._pass()
        return self._rows.timeline(table, index, partition, **how)

    def write(self, changes: Sequence[Change]) -> None:
        self._pass()
        self._rows.write(changes)

    def heal(self) -> None:
        self._slow = self._stale = 0.0

    def _pass(self) -> None:
        task = self._scheduler.current
        assert task is not None, "only a task uses the store"
        if task.calls_left is not None:
            task.calls_left -= 1
            if task.calls_left < 0:
                raise RequestDied
        if self._slow and self._random() < self._slow:
            self._scheduler.sleep(SLOW_SECONDS * self._random())
        else:
            self._scheduler.sleep(CALL_SECONDS * self._random())


class SimStore(RecordStore):
    """The real store over simulated rows."""

    def __init__(
        self, scheduler: Scheduler, chance: Random, rates: dict[str, float], audit: Audit
    ) -> None:
        self.rows = AuditedRows(audit)
        self.away = False
        self._rates = [
            (StoreFault.CONFLICT, rates["store_conflict"]),
            (StoreFault.THROTTLE, rates["store_throttle"]),
            (StoreFault.LOST_BEFORE, rates["store_lost_before"]),
            (StoreFault.LOST_AFTER, rates["store_lost_after"]),
        ]
        self._draw = chance.random
        self._switching = SwitchingRows(
            self.rows, scheduler, chance, slow=rates["store_slow"], stale=rates["index_stale"]
        )
        self._any = sum(rate for _, rate in self._rates)
        super().__init__(
            FaultyRows(self._switching, self._fault), pause=scheduler.sleep, chance=chance.random
        )

    def nominate(
        self, kind: Kind[R], index: Index, partition: str, *, until: datetime | None, limit: int
    ) -> list[Key[R]]:
        """Answer at once for a part where nothing is: most of what a sweep asks."""
        if not self.away and self._switching.blank(kind.table, index, partition):
            return []
        return super().nominate(kind, index, partition, until=until, limit=limit)

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self.away, self._any = False, 0.0
        self._switching.heal()

    def _fault(self, call: str) -> StoreFault | None:
        if self.away:
            return StoreFault.LOST_BEFORE if self._draw() < 0.5 else StoreFault.THROTTLE
        drawn = self._draw() if self._any else 1.0
        if drawn >= self._any:
            return None
        for fault, rate in self._rates:
            drawn -= rate
            if drawn < 0:
                return fault
        return None
