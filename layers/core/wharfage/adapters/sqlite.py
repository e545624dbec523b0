"""Rows in one SQLite file: durable before they are acknowledged, shared by threads and processes.

One connection writes at a time; readers go on beside it. Writers that wait are committed
together, under one fsync: whoever gets the lock writes for all who wait for it. Nobody is told
anything, not even of a failed condition, before that commit is on the disk.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import msgspec

from wharfage.adapters.interpreter import beyond, outcome, places
from wharfage.adapters.rows import Change, Contended, OutcomeUnknown, Rejected
from wharfage.adapters.sqlite_file import StoreDamaged, check, connect, create, failure, new_file
from wharfage.schema import TTL, Index
from wharfage.transaction import Item, Key

T = TypeVar("T")

GROUP_MAX = 64  #: Transactions in one commit, so that none waits long for its group.
EXPIRE_MAX = 1000  #: Items deleted in one go, so that writers need not wait long.

_OLDEST_FIRST = """
SELECT item FROM items WHERE name = ? AND partition = ? AND sort >= ? AND sort < ?
ORDER BY sort LIMIT ?
"""
_AFTER = _OLDEST_FIRST.replace(">=", ">")
_NEWEST_FIRST = _OLDEST_FIRST.replace("ORDER BY sort", "ORDER BY sort DESC")
_BEYOND_TEXT = b""  #: SQLite orders every blob behind every text.
_LOST = (Contended, OutcomeUnknown, StoreDamaged)
_BIG_NUMBER = 1  #: The msgpack extension for numbers of more than 64 bits.


class SqliteRows:
    """Rows in one file. The file is made, readable by its owner only, if there is none."""

    def __init__(self, path: Path) -> None:
        """Open the file and read all of it once: a second for a gigabyte. Raises: StoreDamaged."""
        self._path = path
        self._waiting: deque[_Ticket] = deque()
        self._writing = Lock()
        self._idle: list[sqlite3.Connection] = []
        if not path.exists():
            create(path)
        self._writer = connect(path)
        try:
            check(self._writer, path, pragma="quick_check")
        except BaseException:
            self._writer.close()
            raise

    def close(self) -> None:
        """Close the file; whoever still uses the rows gets an error."""
        with self._writing:
            for connection in (*self._idle, self._writer):
                connection.close()

    def read(self, keys: Sequence[Key[Any]]) -> list[Item | None]:
        with self._reader() as connection:
            return [_item(connection, key) for key in keys]

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
        low, high = prefix, beyond(prefix)
        if after is not None:
            low, high = (prefix, after) if newest_first else (after, high)
        with self._reader() as connection:
            found = connection.execute(
                _NEWEST_FIRST if newest_first else _OLDEST_FIRST if after is None else _AFTER,
                (table, partition, low, high or _BEYOND_TEXT, limit),
            )
            return [_decode(raw) for (raw,) in found]

    def nominate(
        self, table: str, index: Index, partition: str, *, until: str | None, limit: int
    ) -> list[Key[Any]]:
        with self._reader() as connection:
            found = connection.execute(
                "SELECT partition, sort FROM places WHERE name = ? AND part = ? AND at <= ?"
                " ORDER BY at, partition, sort LIMIT ?",
                (_part(table, index), partition, until or _BEYOND_TEXT, limit),
            )
            return [Key(table, *key) for key in found]

    def timeline(
        self, table: str, index: Index, partition: str, *, before: str | None, limit: int
    ) -> list[Item]:
        with self._reader() as connection:
            found = connection.execute(
                "SELECT item FROM places JOIN items"
                " ON items.name = ? AND items.partition = places.partition"
                " AND items.sort = places.sort"
                " WHERE places.name = ? AND part = ? AND at < ?"
                " ORDER BY at DESC, places.partition DESC, places.sort DESC LIMIT ?",
                (table, _part(table, index), partition, before or _BEYOND_TEXT, limit),
            )
            return [_decode(raw) for (raw,) in found]

    def write(self, changes: Sequence[Change]) -> None:
        ticket = _Ticket(changes)
        self._waiting.append(ticket)
        with self._writing:
            while not ticket.answered:
                self._write_group()
        if ticket.error is not None:
            raise ticket.error

    def expire(self, now: datetime) -> int:
        """Delete the items whose TTL has passed; return how many. DynamoDB does it by itself."""
        total = 0
        while True:
            with self._writing:
                count = self._commit(lambda connection: _expire(connection, int(now.timestamp())))
            total += count
            if count < EXPIRE_MAX:
                return total

    def check(self) -> None:
        """Read the whole file and compare it with itself. Raises: StoreDamaged."""
        with self._reader() as connection:
            check(connection, self._path)

    def backup(self, target: Path) -> None:
        """Copy the store as it is at one instant into a new file, while it is being written.

        Raises: FileExistsError, StoreDamaged.
        """
        with new_file(target) as draft, self._reader() as source:
            with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
                source.backup(copy)  # All pages in one step: it reads one snapshot.
            with closing(connect(draft)) as copy:
                check(copy, target)

    def _write_group(self) -> None:
        """Commit the transactions that wait, each with its own verdict, in one go."""
        group = [self._waiting.popleft() for _ in range(min(GROUP_MAX, len(self._waiting)))]
        try:
            verdicts = self._commit(
                lambda connection: [_apply(connection, ticket.changes) for ticket in group]
            )
        except BaseException as error:
            lost = error if isinstance(error, _LOST) else OutcomeUnknown(repr(error))
            for ticket in group:
                ticket.answer(lost)
            if lost is not error:
                raise
        else:
            for ticket, verdict in zip(group, verdicts, strict=True):
                ticket.answer(verdict)

    def _commit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work in one transaction of the file. The lock is held."""
        failed: type[Exception] = Contended
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            result = work(self._writer)
            failed = OutcomeUnknown  # From here on an error does not say what is on the disk.
            self._writer.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                self._writer.rollback()
            if isinstance(error, sqlite3.Error):
                raise failure(self._path, error, failed) from error
            raise
        return result

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        connection = self._idle.pop() if self._idle else connect(self._path)
        try:
            yield connection
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise failure(self._path, error, Contended) from error
            raise
        self._idle.append(connection)


class _Ticket:
    """One waiting transaction and, in the end, its verdict."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.answered = False
        self.error: Exception | None = None

    def answer(self, error: Exception | None) -> None:
        self.error = error
        self.answered = True


def _apply(connection: sqlite3.Connection, changes: Sequence[Change]) -> Exception | None:
    """Carry out one transaction, or return what speaks against it and write nothing."""
    before = [_item(connection, change.key) for change in changes]
    try:
        after = outcome(changes, before)
    except (Rejected, AssertionError) as error:
        return error
    for change, old, new in zip(changes, before, after, strict=True):
        if old is not new:
            _replace(connection, change.key, old, new)
    return None


def _replace(
    connection: sqlite3.Connection, key: Key[Any], old: Item | None, new: Item | None
) -> None:
    gone, come = set(places(key.table, old)), set(places(key.table, new))
    for index, part, at in gone - come:
        connection.execute(
            "DELETE FROM places"
            " WHERE name = ? AND part = ? AND at = ? AND partition = ? AND sort = ?",
            (_part(key.table, index), part, at, key.partition, key.sort),
        )
    for index, part, at in come - gone:
        connection.execute(
            "INSERT INTO places VALUES (?, ?, ?, ?, ?)",
            (_part(key.table, index), part, at, key.partition, key.sort),
        )
    if new is None:
        connection.execute("DELETE FROM items WHERE name = ? AND partition = ? AND sort = ?", key)
    else:
        connection.execute(
            "REPLACE INTO items VALUES (?, ?, ?, ?, ?)", (*key, _encode(new), new.get(TTL))
        )


def _expire(connection: sqlite3.Connection, now: int) -> int:
    expired = connection.execute(
        "SELECT name, partition, sort FROM items WHERE ttl < ? LIMIT ?", (now, EXPIRE_MAX)
    ).fetchall()
    for each in expired:
        key = Key[Any](*each)
        _replace(connection, key, _item(connection, key), None)
    return len(expired)


def _item(connection: sqlite3.Connection, key: Key[Any]) -> Item | None:
    found = connection.execute(
        "SELECT item FROM items WHERE name = ? AND partition = ? AND sort = ?", key
    ).fetchone()
    return None if found is None else _decode(found[0])


def _part(table: str, index: Index) -> str:
    return f"{table}.{index.name}"


def _encode(item: Item) -> bytes:
    try:
        return msgspec.msgpack.encode(item)
    except OverflowError:
        return msgspec.msgpack.encode(_wrapped(item))


def _wrapped(value: Any) -> Any:
    """Put numbers that msgpack has no type for into its extension."""
    match value:
        case int() if not -(2**63) <= value < 2**64:
            return msgspec.msgpack.Ext(_BIG_NUMBER, str(value).encode())
        case dict():
            return {name: _wrapped(each) for name, each in value.items()}
        case list():
            return [_wrapped(each) for each in value]
        case _:
            return value


def _decode(raw: bytes) -> Item:
    item: Item = _DECODER.decode(raw)
    return item


_DECODER = msgspec.msgpack.Decoder(ext_hook=lambda code, data: int(bytes(data)))
