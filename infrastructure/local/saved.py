"""Backup: one consistent copy of the money file with the keys beside it, while the stack works."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.paths import Paths, made
from wharfage.adapters.sqlite import SqliteRows


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """What a backup holds."""

    folder: Path
    items: int
    bytes: int


def backup(paths: Paths, folder: Path) -> Saved:
    """Copy the store as it is at one instant, and the keys, into a new *folder*.

    The envelope key is among the keys: without it, stored secrets could not be read again.

    Raises: FileNotFoundError, when there is no store yet; FileExistsError, when *folder* exists.
    """
    if not paths.store.exists():
        raise FileNotFoundError(f"There is no store at {paths.store} yet: nothing to copy.")
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; name a folder that does not.")
    made(folder)
    target = folder / paths.store.name
    with closing(SqliteRows(paths.store)) as rows:
        rows.backup(target)
    shutil.copytree(paths.keys, folder / paths.keys.name)
    return Saved(folder=folder, items=_items(target), bytes=target.stat().st_size)


def _items(store: Path) -> int:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM items").fetchone()
    return int(count)
