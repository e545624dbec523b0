"""The embedded stores: dictionaries for tests and the simulation, one SQLite file to keep.

store = memory_store()
store = file_store(Path("var/store.db"))
"""

import random
import time
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from wharfage.adapters.interpreter import beyond, outcome, places
from wharfage.adapters.rows import Change
from wharfage.adapters.sqlite import SqliteRows
from wharfage.adapters.sqlite_file import StoreDamaged
from wharfage.adapters.store import RecordStore
from wharfage.schema import TTL, Index
from wharfage.transaction import Item, Key

__all__ = ["DictRows", "SqliteRows", "StoreDamaged", "file_store", "memory_store"]


def memory_store() -> RecordStore:
    """Make an empty store that lives as long as the process. It never waits."""
    return RecordStore(DictRows(), pause=lambda seconds: None, chance=lambda: 0.0)


def file_store(path: Path) -> RecordStore:
    """Open the store in a file, making it if there is none. Raises: StoreDamaged."""
    return RecordStore(SqliteRows(path), pause=time.sleep, chance=random.random)


class DictRows:
    """Rows in dictionaries; one lock makes each call one step."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._items: dict[Key[Any], Item] = {}
        #: The sort keys of each partition, in order.
        self._sorts: dict[tuple[str, str], list[str]] = defaultdict(list)
        #: Position and key of what each part of an index holds, in order.
        self._places: dict[tuple[str, str, str], list[tuple[str, str, str]]] = defaultdict(list)

    def read(self, keys: Sequence[Key[Any]]) -> list[Item | None]:
        with self._lock:
            return [self._items.get(key) for key in keys]

    def query(
        self,
        table: str,
        partition: str,
        *,
        prefix: str,
        after: str | None,
        newest_first: bool,
        limit: int,
    ) -> list[Item]:
        with self._lock:
            sorts = self._sorts.get((table, partition), [])
            first = bisect_left(sorts, prefix)
            last = len(sorts) if (end := beyond(prefix)) is None else bisect_left(sorts, end)
            if after is not None and newest_first:
                last = bisect_left(sorts, after, first, last)
            elif after is not None:
                first = bisect_right(sorts, after, first, last)
            found = sorts[max(first, last - limit) : last] if newest_first else sorts[first:last]
            ordered = found[::-1] if newest_first else found[:limit]
            return [self._items[Key(table, partition, sort)] for sort in ordered]

    def nominate(
        self, table: str, index: Index, partition: str, *, until: str | None, limit: int
    ) -> list[Key[Any]]:
        with self._lock:
            held = self._places.get((table, index.name, partition), [])
            found = held[:limit]
            return [Key(table, *key) for at, *key in found if until is None or at <= until]

    def timeline(
        self, table: str, index: Index, partition: str, *, before: str | None, limit: int
    ) -> list[Item]:
        with self._lock:
            held = self._places.get((table, index.name, partition), [])
            end = len(held) if before is None else bisect_left(held, (before,))
            found = held[max(0, end - limit) : end]
            return [self._items[Key(table, *key)] for _, *key in reversed(found)]

    def write(self, changes: Sequence[Change]) -> None:
        with self._lock:
            before = [self._items.get(change.key) for change in changes]
            after = outcome(changes, before)
            for change, old, new in zip(changes, before, after, strict=True):
                self._replace(change.key, old, new)

    def expire(self, now: datetime) -> int:
        """Delete the items whose TTL has passed; return how many. DynamoDB does it by itself."""
        with self._lock:
            ended = now.timestamp()
            expired = [
                (key, item) for key, item in self._items.items() if item.get(TTL, ended) < ended
            ]
            for key, item in expired:
                self._replace(key, item, None)
            return len(expired)

    def _replace(self, key: Key[Any], old: Item | None, new: Item | None) -> None:
        if old is new:
            return
        for index, partition, at in places(key.table, old):
            held = self._places[key.table, index.name, partition]
            del held[bisect_left(held, (at, key.partition, key.sort))]
        for index, partition, at in places(key.table, new):
            insort(self._places[key.table, index.name, partition], (at, key.partition, key.sort))
        sorts = self._sorts[key.table, key.partition]
        if new is None:
            del self._items[key], sorts[bisect_left(sorts, key.sort)]
            return
        if old is None:
            insort(sorts, key.sort)
        self._items[key] = new
