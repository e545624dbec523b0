"""An injector of the store's faults: what no emulator raises, and what every cloud does."""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, TypeVar

from wharfage.adapters.rows import Change, Contended, OutcomeUnknown, Rejected, Rows
from wharfage.schema import Index
from wharfage.transaction import Item, Key

T = TypeVar("T")


class StoreFault(StrEnum):
    """What may happen to one call."""

    CONFLICT = "conflict"  #: Another transaction has the item: nothing is done.
    THROTTLE = "throttle"  #: Too much at once: nothing is done.
    LOST_BEFORE = "lost_before"  #: The request does not arrive; nobody can tell.
    LOST_AFTER = "lost_after"  #: It is done or refused, and the answer does not arrive.


#: Decides what happens to the next call, given its name: read, query, nominate, timeline, write.
FaultSource = Callable[[str], StoreFault | None]


def seeded(chance: random.Random, rates: Mapping[StoreFault, float]) -> FaultSource:
    """Draw faults at these rates, each from 0 to 1, together at most 1."""

    def next_fault(call: str) -> StoreFault | None:
        drawn = chance.random()
        for fault, rate in rates.items():
            drawn -= rate
            if drawn < 0:
                return fault
        return None

    return next_fault


class FaultyRows:
    """Rows to which faults happen. A read knows no conflict, and losing it changes nothing."""

    def __init__(self, rows: Rows, source: FaultSource) -> None:
        self._rows = rows
        self._source = source

    def read(self, keys: Sequence[Key[Any]]) -> list[Item | None]:
        return self._suffer("read", lambda: self._rows.read(keys))

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
        return self._suffer(
            "query",
            lambda: self._rows.query(
                table,
                partition,
                prefix=prefix,
                after=after,
                newest_first=newest_first,
                limit=limit,
            ),
        )

    def nominate(
        self, table: str, index: Index, partition: str, *, until: str | None, limit: int
    ) -> list[Key[Any]]:
        return self._suffer(
            "nominate",
            lambda: self._rows.nominate(table, index, partition, until=until, limit=limit),
        )

    def timeline(
        self, table: str, index: Index, partition: str, *, before: str | None, limit: int
    ) -> list[Item]:
        return self._suffer(
            "timeline",
            lambda: self._rows.timeline(table, index, partition, before=before, limit=limit),
        )

    def write(self, changes: Sequence[Change]) -> None:
        self._suffer("write", lambda: self._rows.write(changes))

    def _suffer(self, call: str, carry_out: Callable[[], T]) -> T:
        fault = self._source(call)
        if fault is None:
            return carry_out()
        match fault:
            case StoreFault.CONFLICT | StoreFault.THROTTLE:
                raise Contended(fault)
            case StoreFault.LOST_BEFORE:
                raise OutcomeUnknown(fault)
            case StoreFault.LOST_AFTER:
                with suppress(Rejected):  # A refusal gets lost on the way like anything else.
                    carry_out()
                raise OutcomeUnknown(fault)
