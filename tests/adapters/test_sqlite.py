"""The store in a file: groups of writers, locks, full disks, damage, backups."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.stores import NOW, balance_key, put_item, seen
from tests.fixtures.waiting import until
from wharfage.adapters import sqlite, sqlite_file
from wharfage.adapters.rows import Contended, OutcomeUnknown, Rejected
from wharfage.adapters.sqlite import SqliteRows
from wharfage.adapters.sqlite_file import APPLICATION_ID, FORMAT, StoreDamaged
from wharfage.transaction import AtLeast, Present, Update


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "store.db"


@pytest.fixture
def rows(path: Path):
    with closing(SqliteRows(path)) as found:
        yield found


def other_writer(path: Path) -> sqlite3.Connection:
    """Open the file as another process would."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def damage(path: Path) -> None:
    """Overwrite the middle of the file, in place."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4 * 4096)
        file.write(b"\xa5" * (size - 8 * 4096))


class TestTheFile:
    def test_it_is_its_owners_only(self, rows, path):
        rows.write([put_item(balance_key())])

        assert [each.stat().st_mode & 0o777 for each in path.parent.iterdir()] == [0o600] * 3

    def test_it_is_alone_in_its_folder_when_it_is_closed(self, path):
        with closing(SqliteRows(path)) as rows:
            rows.write([put_item(balance_key())])

        assert list(path.parent.iterdir()) == [path]

    def test_what_was_acknowledged_is_there_when_it_is_opened_again(self, path):
        key = balance_key()
        with closing(SqliteRows(path)) as rows:
            rows.write([put_item(key, a=10**37 + 1, b=b"\xff")])

        with closing(SqliteRows(path)) as rows:
            assert seen(rows, key) == {"a": 10**37 + 1, "b": b"\xff"}

    def test_a_commit_waits_for_the_disk(self, rows):
        assert rows._writer.execute("PRAGMA synchronous").fetchone() == (2,)
        assert rows._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_many_may_make_it_at_once(self, path):
        with ThreadPoolExecutor(8) as threads:
            opened = list(threads.map(lambda _: SqliteRows(path), range(8)))
        key = balance_key()

        for rows in opened:
            rows.write([Update(key, add={"a": 1})])

        assert [seen(rows, key) for rows in opened] == [{"a": 8}] * 8
        for rows in opened:
            rows.close()
        assert list(path.parent.iterdir()) == [path]

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "is not a store of this product"),
            (b"not a database, but long enough to have a head" * 99, "is damaged"),
        ],
    )
    def test_what_is_no_store_is_not_opened_and_not_changed(self, path, content, why):
        path.parent.mkdir()
        path.write_bytes(content)

        with pytest.raises(StoreDamaged, match=why):
            SqliteRows(path)

        assert path.read_bytes() == content

    def test_another_programs_database_is_not_opened(self, path):
        path.parent.mkdir()
        with closing(other_writer(path)) as connection:
            connection.execute("CREATE TABLE items (a)")

        with pytest.raises(StoreDamaged, match="is not a store of this product"):
            SqliteRows(path)

    @pytest.mark.parametrize(("change", "age"), [(+1, "a newer"), (-1, "an older")])
    def test_another_format_is_named(self, path, change, age):
        SqliteRows(path).close()
        with closing(other_writer(path)) as connection:
            connection.execute(f"PRAGMA user_version = {FORMAT + change}")

        with pytest.raises(StoreDamaged, match=f"was written by {age} version"):
            SqliteRows(path)

    def test_a_damaged_page_is_named_when_the_file_is_opened(self, path):
        with closing(SqliteRows(path)) as rows:
            for _ in range(200):
                rows.write([put_item(balance_key(), a=b"x" * 1000)])
        damage(path)

        with pytest.raises(StoreDamaged, match="is damaged"):
            SqliteRows(path)

    def test_damage_that_comes_later_is_named_when_it_is_met(self, rows, path):
        keys = [balance_key() for _ in range(200)]
        for key in keys:
            rows.write([put_item(key, a=b"x" * 1000)])
        rows._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage(path)

        with pytest.raises(StoreDamaged, match="is damaged"):
            rows.read(keys)
        with pytest.raises(StoreDamaged, match="is damaged"):
            rows.check()

    def test_a_read_that_fails_in_any_way_keeps_no_connection(self, rows):
        with pytest.raises(KeyError), rows._reader() as connection:
            raise KeyError

        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
        assert connection not in rows._idle

    def test_a_whole_file_passes_its_check(self, rows):
        rows.write([put_item(balance_key())])

        rows.check()


class TestWriters:
    def test_those_who_wait_are_committed_together_each_with_its_own_verdict(self, rows, path):
        key = balance_key()
        rows.write([put_item(key, a=10)])
        statements: list[str] = []
        rows._writer.set_trace_callback(statements.append)

        def take(_: int) -> bool:
            try:
                rows.write([Update(key, add={"a": -1}, when=[AtLeast("a", 1)])])
            except Rejected:
                return False
            return True

        with closing(other_writer(path)) as blocker, ThreadPoolExecutor(40) as threads:
            blocker.execute("BEGIN IMMEDIATE")
            taken = [threads.submit(take, number) for number in range(40)]
            until(lambda: len(rows._waiting) == 39, what="the group")
            blocker.execute("ROLLBACK")

        assert sum(each.result() for each in taken) == 10
        assert seen(rows, key) == {"a": 0}
        assert statements.count("COMMIT") == 2  # The first alone; then all who had waited for it.

    def test_a_group_has_a_greatest_size(self, rows, path, monkeypatch):
        monkeypatch.setattr(sqlite, "GROUP_MAX", 4)
        key = balance_key()
        statements: list[str] = []
        rows._writer.set_trace_callback(statements.append)

        with closing(other_writer(path)) as blocker, ThreadPoolExecutor(9) as threads:
            blocker.execute("BEGIN IMMEDIATE")
            added = [threads.submit(rows.write, [Update(key, add={"a": 1})]) for _ in range(9)]
            until(lambda: len(rows._waiting) == 8, what="the group")
            blocker.execute("ROLLBACK")

        assert [each.result() for each in added] == [None] * 9
        assert seen(rows, key) == {"a": 9}
        assert statements.count("COMMIT") == 3

    def test_a_mistake_in_a_group_is_its_own(self, rows, path):
        text, number = balance_key(), balance_key()
        rows.write([put_item(text, a="x")])

        with closing(other_writer(path)) as blocker, ThreadPoolExecutor(2) as threads:
            blocker.execute("BEGIN IMMEDIATE")
            wrong = threads.submit(rows.write, [Update(text, add={"a": 1})])
            right = threads.submit(rows.write, [Update(number, add={"a": 1})])
            until(lambda: len(rows._waiting) == 1, what="the group")
            blocker.execute("ROLLBACK")

        assert isinstance(wrong.exception(), AssertionError)
        assert right.exception() is None
        assert seen(rows, number) == {"a": 1}

    def test_a_file_that_another_process_keeps_locked_is_contended(self, path, monkeypatch):
        monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.05)
        key = balance_key()

        with closing(SqliteRows(path)) as rows, closing(other_writer(path)) as blocker:
            blocker.execute("BEGIN IMMEDIATE")
            with pytest.raises(Contended, match="locked"):
                rows.write([put_item(key, a=1)])
            assert seen(rows, key) is None  # Readers go on.
            blocker.execute("ROLLBACK")
            rows.write([put_item(key, a=1)])

            assert seen(rows, key) == {"a": 1}

    def test_a_full_disk_writes_nothing_and_later_may_do(self, rows):
        key, other = balance_key(), balance_key()
        [[pages]] = rows._writer.execute("PRAGMA page_count")
        rows._writer.execute(f"PRAGMA max_page_count = {pages + 2}")

        with pytest.raises(Contended, match="full"):
            rows.write([put_item(other, a=1), put_item(key, a=b"x" * 100_000)])
        assert rows.read([key, other]) == [None, None]
        rows._writer.execute("PRAGMA max_page_count = 100000")
        rows.write([put_item(key, a=b"x" * 100_000)])

        assert len(seen(rows, key)["a"]) == 100_000

    def test_a_commit_that_fails_is_of_unknown_outcome(self, rows):
        def deny(action: int, what: str | None, *_: Any) -> int:
            denied = action == sqlite3.SQLITE_TRANSACTION and what == "COMMIT"
            return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK

        key = balance_key()
        rows._writer.set_authorizer(deny)

        with pytest.raises(OutcomeUnknown):
            rows.write([put_item(key, a=1)])
        with pytest.raises(OutcomeUnknown):  # Not a refusal: what it has seen may never have been.
            rows.write([put_item(key, when=[Present()])])
        rows._writer.set_authorizer(None)
        rows.write([put_item(key, a=2)])

        assert seen(rows, key) == {"a": 2}

    def test_two_instances_take_turns_and_see_each_others_writes(self, path):
        key = balance_key()
        with closing(SqliteRows(path)) as one, closing(SqliteRows(path)) as other:

            def add(number: int) -> None:
                (one, other)[number % 2].write([Update(key, add={"a": 1})])

            with ThreadPoolExecutor(8) as threads:
                list(threads.map(add, range(100)))

            assert seen(one, key) == seen(other, key) == {"a": 100}

    def test_what_expires_is_deleted_in_parts(self, rows, monkeypatch):
        monkeypatch.setattr(sqlite, "EXPIRE_MAX", 3)
        keys = [balance_key() for _ in range(8)]
        for key in keys:
            rows.write([put_item(key, ttl=int(NOW.timestamp()))])

        assert rows.expire(NOW + timedelta(seconds=1)) == 8
        assert rows.read(keys) == [None] * 8


class TestBackups:
    def test_a_backup_under_load_is_the_store_at_one_instant(self, rows, tmp_path):
        one, other = balance_key(), balance_key()
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                rows.write([Update(one, add={"a": 1}), Update(other, add={"a": -1})])

        with ThreadPoolExecutor(2) as threads:
            writing = [threads.submit(write) for _ in range(2)]
            for number in range(5):
                count = 0 if (now := seen(rows, one)) is None else now["a"]
                target = tmp_path / f"backup-{number}.db"
                rows.backup(target)
                with closing(SqliteRows(target)) as copy:
                    copy.check()
                    found = [(seen(copy, key) or {"a": 0})["a"] for key in (one, other)]
                assert sum(found) == 0
                assert found[0] >= count
            stop.set()

        assert [each.result() for each in writing] == [None, None]

    def test_a_backup_is_its_owners_only_and_alone(self, rows, tmp_path):
        target = tmp_path / "backups" / "one.db"

        rows.backup(target)

        assert list(target.parent.iterdir()) == [target]
        assert target.stat().st_mode & 0o777 == 0o600

    def test_a_backup_replaces_nothing(self, rows, tmp_path):
        target = tmp_path / "one.db"
        target.write_text("precious")

        with pytest.raises(FileExistsError):
            rows.backup(target)

        assert target.read_text() == "precious"
        assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []

    def test_a_backup_is_a_store_of_ours(self, rows, tmp_path):
        rows.backup(tmp_path / "one.db")

        with closing(other_writer(tmp_path / "one.db")) as connection:
            assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
