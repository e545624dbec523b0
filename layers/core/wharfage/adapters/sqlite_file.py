"""The file of the embedded store: made whole, opened only if it is ours, copied while in use."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from wharfage.adapters.rows import Contended

APPLICATION_ID = 0x57485246  #: "WHRF", in the file's header: it is ours.
FORMAT = 1  #: Raised whenever an older program could misread the file.
LOCK_SECONDS = 5.0  #: How long to wait for another process that writes.

_TABLES = """
CREATE TABLE items (
    name TEXT NOT NULL, partition TEXT NOT NULL, sort TEXT NOT NULL,
    item BLOB NOT NULL, ttl INTEGER,
    PRIMARY KEY (name, partition, sort)
) WITHOUT ROWID;
CREATE INDEX expiring ON items (ttl) WHERE ttl IS NOT NULL;
CREATE TABLE places (
    name TEXT NOT NULL, part TEXT NOT NULL, at TEXT NOT NULL,
    partition TEXT NOT NULL, sort TEXT NOT NULL,
    PRIMARY KEY (name, part, at, partition, sort)
) WITHOUT ROWID;
"""
_PRAGMAS = (
    "synchronous = FULL",
    "fullfsync = ON",  # On macOS a plain fsync stops at the drive's cache.
    "checkpoint_fullfsync = ON",
    "journal_size_limit = 67108864",
)
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class StoreDamaged(Exception):
    """The file cannot be used as a store, and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}")


def create(path: Path) -> None:
    """Make an empty store. It appears under its name only when it is whole."""
    with (
        suppress(FileExistsError),  # Another process was first.
        new_file(path) as draft,
        closing(sqlite3.connect(draft, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {_TABLES} COMMIT")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a draft that becomes *path*, durably, if nothing goes wrong. Raises: FileExistsError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        draft = Path(folder) / path.name
        draft.touch(mode=0o600)
        yield draft
        _sync(draft)
        os.link(draft, path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(path: Path) -> sqlite3.Connection:
    """Open one connection to a store's file. Raises: StoreDamaged."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=LOCK_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _recognise(connection, path)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise failure(path, error, Contended) from error
        raise
    return connection


def failure(path: Path, error: sqlite3.Error, otherwise: type[Exception]) -> Exception:
    """Say what an error of SQLite means: the file is damaged, or *otherwise*."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        return StoreDamaged(path, f"is damaged: {error}")
    return otherwise(str(error))


def check(connection: sqlite3.Connection, path: Path, *, pragma: str = "integrity_check") -> None:
    """Read the whole file and compare it with itself. Raises: StoreDamaged."""
    try:
        found = [line for (line,) in connection.execute(f"PRAGMA {pragma}(3)")]
    except sqlite3.Error as error:
        raise failure(path, error, Contended) from error
    if found != ["ok"]:
        raise StoreDamaged(path, f"is damaged: {'; '.join(found)}")


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    [[application]] = connection.execute("PRAGMA application_id")
    [[version]] = connection.execute("PRAGMA user_version")
    if application != APPLICATION_ID:
        raise StoreDamaged(path, "is not a store of this product")
    if version != FORMAT:
        age = "a newer" if version > FORMAT else "an older"
        raise StoreDamaged(path, f"was written by {age} version (format {version}, not {FORMAT})")
