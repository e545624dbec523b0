"""Rows: what a store must be able to do with raw items, and the three ways in which it may not.

`RecordStore` speaks of records and refusals, and keeps the rule for unknown; below it, rows only
carry out. Dictionaries, a SQLite file and DynamoDB are rows; so is the injector of faults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wharfage.schema import Index
from wharfage.transaction import Check, Condition, Delete, Item, Key, Update


class Rejected(Exception):
    """Conditions failed, so nothing was written.

    *failures* maps the position of each change whose conditions failed to its item as it was,
    None if there was none. It names at least one, and not always all.
    """

    def __init__(self, failures: Mapping[int, Item | None]) -> None:
        super().__init__(f"conditions failed at {sorted(failures)}")
        self.failures = failures


class Contended(Exception):
    """A conflict, a throttle, a lock, no connection: nothing was written, and later may do."""


class OutcomeUnknown(Exception):
    """The answer was lost: everything was written or nothing, and nobody here can tell which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PutItem:
    """Write a whole item."""

    key: Key[Any]
    item: Item
    when: Sequence[Condition] = ()


Change = PutItem | Update | Delete | Check


class Rows(Protocol):
    """Raw items by key. Each call is one attempt.

    Everything here may raise Contended or OutcomeUnknown; a read that does so read nothing.
    """

    def read(self, keys: Sequence[Key[Any]]) -> list[Item | None]:
        """Read up to 100 different keys consistently, each by itself."""

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
        """Read, consistently and in order, up to *limit* items whose sort key has the prefix.

        *after*, which has the prefix too, names the sort key behind which to begin.
        """

    def nominate(
        self, table: str, index: Index, partition: str, *, until: str | None, limit: int
    ) -> list[Key[Any]]:
        """Name up to *limit* items of a part of an index, lowest first, not above *until*."""

    def timeline(
        self, table: str, index: Index, partition: str, *, before: str | None, limit: int
    ) -> list[Item]:
        """Read up to *limit* items of a part of an index, highest first, all below *before*."""

    def write(self, changes: Sequence[Change]) -> None:
        """Apply all changes or none. Raises: Rejected."""
