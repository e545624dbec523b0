"""Durable transactions a second: the embedded store against plain sqlite3 that writes the same.

    python -m benchmarks.store [--rounds 5] [--seconds 2] [--threads 1 16]

Both run in turn, round by round, on files in one folder with the same pragmas. The rival is what
one would write by hand: one connection, one lock, the condition in the UPDATE, a COMMIT each. It
has no group commit, no index rows, no proof; the store has them all.
"""

import argparse
import itertools
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from wharfage import schema
from wharfage.adapters.embedded import SqliteRows
from wharfage.adapters.store import RecordStore
from wharfage.domain.balance import Balance, Entry, EntryCode
from wharfage.transaction import Put, Update, absent, at_least

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT = "acc_benchmark"
FUNDS = 10**12
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON")

Write = Callable[[str], None]


def store(folder: Path) -> tuple[Write, Callable[[], None]]:
    """Give a write of the embedded store: a conditional update of a hot balance, and an entry."""
    rows = SqliteRows(folder / "store.db")
    records = RecordStore(rows, pause=time.sleep, chance=lambda: 1.0)
    records.commit(Put(Balance(account=ACCOUNT, available=FUNDS), when=[absent()]))
    balance = schema.BALANCE.key(account=ACCOUNT)

    def write(name: str) -> None:
        entry = Entry(
            account=ACCOUNT,
            code=EntryCode.USE,
            reference=name,
            amount_fen=-1,
            debit=ACCOUNT,
            credit="revenue",
            posted_at=NOW,
        )
        records.commit(
            Update(balance, add={"available": -1}, when=[at_least("available", 1)]),
            Put(entry, when=[absent()], proves=True),
        )

    return write, rows.close


def plain(folder: Path) -> tuple[Write, Callable[[], None]]:
    """Give the same write by hand."""
    connection = sqlite3.connect(folder / "plain.db", isolation_level=None, check_same_thread=False)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE balances (account TEXT PRIMARY KEY, available INTEGER)")
    connection.execute(
        "CREATE TABLE entries (account TEXT, reference TEXT, amount INTEGER, debit TEXT,"
        " credit TEXT, posted_at TEXT, PRIMARY KEY (account, reference))"
    )
    connection.execute("INSERT INTO balances VALUES (?, ?)", (ACCOUNT, FUNDS))
    lock = threading.Lock()

    def write(name: str) -> None:
        with lock:
            connection.execute("BEGIN IMMEDIATE")
            changed = connection.execute(
                "UPDATE balances SET available = available - 1"
                " WHERE account = ? AND available >= 1",
                (ACCOUNT,),
            )
            assert changed.rowcount == 1
            connection.execute(
                "INSERT INTO entries VALUES (?, ?, -1, ?, 'revenue', ?)",
                (ACCOUNT, name, ACCOUNT, NOW.isoformat()),
            )
            connection.execute("COMMIT")

    return write, connection.close


def rate(write: Write, *, threads: int, seconds: float, names: Iterator[int]) -> float:
    """Write from so many threads for so long, and return writes a second."""
    done = [0] * threads
    start = time.perf_counter()
    end = start + seconds

    def work(number: int) -> None:
        while time.perf_counter() < end:
            write(f"{next(names):012}")
            done[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--folder", type=Path, help="where the files are made")
    asked = parser.parse_args()
    for threads in asked.threads:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            compare(Path(folder), threads=threads, rounds=asked.rounds, seconds=asked.seconds)


def compare(folder: Path, *, threads: int, rounds: int, seconds: float) -> None:
    """Let both run in turn, and print the median of each and their ratio."""
    names = itertools.count()
    (ours, close_ours), (theirs, close_theirs) = store(folder), plain(folder)
    found: list[tuple[float, float]] = [
        (
            rate(ours, threads=threads, seconds=seconds, names=names),
            rate(theirs, threads=threads, seconds=seconds, names=names),
        )
        for _ in range(rounds)
    ]
    close_ours()
    close_theirs()
    with closing(sqlite3.connect(":memory:")) as connection:
        [version] = connection.execute("SELECT sqlite_version()").fetchone()
    mine, other = (statistics.median(column) for column in zip(*found, strict=True))
    ratios = sorted(one / two for one, two in found)
    print(
        f"{threads:3} threads: store {mine:7,.0f}/s, sqlite3 {version} {other:7,.0f}/s,"
        f" ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    main()
