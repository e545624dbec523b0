"""The store: records in, refusals out, over rows; and the one place of the rule for unknown.

Every write has three outcomes: done, not done, unknown. The rule: a conflict or a throttle is
tried again and never read as a refusal; an unanswered transaction is repeated as it is; and any
failed condition is first checked against the action that proves the transaction, for if that is
there, the transaction was ours, and only its answer was lost.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from wharfage.adapters.changes import SORT_BYTES_MAX, changes_of
from wharfage.adapters.rows import Contended, OutcomeUnknown, Rejected, Rows
from wharfage.domain.errors import Refused, StateConflict, Unanswered, Unavailable, fault
from wharfage.domain.record import Record
from wharfage.items import decode
from wharfage.ports import Page
from wharfage.schema import TIMELINE, Index, Kind, timestamp
from wharfage.transaction import Action, Item, Key, Put

R = TypeVar("R", bound=Record)
T = TypeVar("T")
logger = logging.getLogger(__name__)

KEYS_MAX = 100  #: DynamoDB's limit on one batch read.


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long to try again. A wait is drawn from zero to a bound that doubles: full jitter."""

    attempts_max: int = 8  #: In all.
    unanswered_max: int = 3  #: Each costs a time-out of seconds, and a customer is waiting.
    wait_seconds_first: float = 0.02
    wait_seconds_max: float = 0.4

    def bounds(self) -> Iterator[float]:
        """Yield the bound of the wait after each attempt but the last."""
        for attempt in range(self.attempts_max - 1):
            yield min(self.wait_seconds_max, self.wait_seconds_first * 2**attempt)


class RecordStore:
    """Records over rows: `ports.Store`."""

    def __init__(
        self,
        rows: Rows,
        *,
        pause: Callable[[float], None],
        chance: Callable[[], float],
        patience: Patience = Patience(),
    ) -> None:
        """*pause* sleeps for seconds; *chance* draws from 0 up to 1."""
        self._rows = rows
        self._pause = pause
        self._chance = chance
        self._patience = patience
        #: The bound of the wait after each attempt; None after the last.
        self._bounds = (*patience.bounds(), None)

    def get(self, key: Key[R]) -> R | None:
        """Read one record consistently. Raises: Unavailable."""
        return cast(R | None, self.get_many([key])[0])

    def get_many(self, keys: Sequence[Key[Any]]) -> list[Any]:
        """Read up to 100 records in one consistent batch; None where there is none.

        Raises: Unavailable.
        """
        different = list(dict.fromkeys(keys))
        if len(different) > KEYS_MAX:
            raise AssertionError(f"a batch of {len(different)} keys")
        if not different:
            return []
        items = self._answer(lambda: self._rows.read(different))
        found = dict(zip(different, items, strict=True))
        return [None if (item := found[key]) is None else decode(item) for key in keys]

    def query(
        self,
        kind: Kind[R],
        partition: str,
        *,
        prefix: str | None = None,
        after: str | None = None,
        newest_first: bool = False,
        limit: int,
    ) -> Page[R]:
        """Read a page of one partition consistently, in the order of sort keys.

        Raises: Unavailable; Invalid, if *after* cannot be the `next` of any page.
        """
        prefix = kind.sort_prefix() if prefix is None else prefix
        start = _position(after)
        if start is not None and not start.startswith(prefix):
            # An edited cursor. Before the first item is the beginning, behind the last is the end.
            if (start < prefix) == newest_first:
                return Page(())
            start = None
        items = self._answer(
            lambda: self._rows.query(
                kind.table,
                partition,
                prefix=prefix,
                after=start,
                newest_first=newest_first,
                limit=limit + 1,
            )
        )
        return _page(items, "sort", kind, limit)

    def nominate(
        self, kind: Kind[R], index: Index, partition: str, *, until: datetime | None, limit: int
    ) -> list[Key[R]]:
        """Name up to *limit* items of an index partition, oldest first, at or before *until*.

        Raises: Unavailable.
        """
        last = None if until is None else timestamp(until)
        return self._answer(
            lambda: self._rows.nominate(kind.table, index, partition, until=last, limit=limit)
        )

    def timeline(
        self, kind: Kind[R], partition: str, *, after: str | None = None, limit: int
    ) -> Page[R]:
        """Read a page of a timeline, newest first.

        Raises: Unavailable; Invalid, if *after* cannot be the `next` of any page.
        """
        before = _position(after)
        items = self._answer(
            lambda: self._rows.timeline(
                kind.table, TIMELINE, partition, before=before, limit=limit + 1
            )
        )
        return _page(items, TIMELINE.sort, kind, limit)

    def commit(self, *actions: Action) -> None:
        """Apply all actions or none; repeat while the outcome is unknown.

        Raises: what `otherwise` of the first failed action says (StateConflict if it has none),
        Unavailable after too many conflicts or throttles, Unanswered if the outcome stays unknown.
        A transaction that nothing proves stays unknown when a condition of its repeat fails: that
        may be its own doing.
        """
        changes = changes_of(actions)
        proof = next((at for at, action in enumerate(actions) if _proves(action)), None)
        unanswered = 0
        for bound in self._bounds:
            try:
                self._rows.write(changes)
            except Rejected as rejected:
                if proof is not None and self._there(
                    changes[proof].key, rejected.failures.get(proof)
                ):
                    return
                if unanswered and proof is None:
                    raise Unanswered from rejected
                raise _refusal(actions, rejected) from None
            except Contended as error:
                logger.info("contended", extra={"action": "commit", "reason": str(error)})
            except OutcomeUnknown as error:
                logger.warning("unanswered", extra={"action": "commit", "reason": str(error)})
                unanswered += 1
                if unanswered == self._patience.unanswered_max:
                    break
            else:
                return
            if bound is not None:
                self._pause(self._chance() * bound)
        raise Unanswered() if unanswered else Unavailable()

    def _there(self, key: Key[Any], seen: Item | None) -> bool:
        """Tell whether an item is there: as the store has just seen it, or else read for this."""
        if seen is not None:
            return True
        try:
            return self.get(key) is not None
        except Unavailable as error:
            raise Unanswered from error

    def _answer(self, read: Callable[[], T]) -> T:
        """Read until there is an answer."""
        for bound in self._bounds:
            try:
                return read()
            except (Contended, OutcomeUnknown) as error:
                logger.info("read again", extra={"action": "read", "reason": str(error)})
            if bound is not None:
                self._pause(self._chance() * bound)
        raise Unavailable


def _proves(action: Action) -> bool:
    return isinstance(action, Put) and action.proves


def _refusal(actions: Sequence[Action], rejected: Rejected) -> Refused:
    """Name the refusal of the first failed action, in the operation's own order."""
    first = min(rejected.failures)
    match actions[first].otherwise:
        case None:
            return StateConflict()
        case Refused() as refusal:
            return refusal
        case make:
            return make(rejected.failures[first])


def _page(items: Sequence[Item], position: str, kind: Kind[R], limit: int) -> Page[R]:
    """Cut a page from one item more than fits: if it is there, there is a next page."""
    records = tuple(cast(R, decode(item)) for item in items[:limit])
    if not all(isinstance(record, kind.record) for record in records):
        raise AssertionError(f"a page of {kind.name} holds something else: narrow it by prefix")
    return Page(records, next=items[limit - 1][position] if len(items) > limit else None)


def _position(after: str | None) -> str | None:
    """Return where to go on from, if it can be a place at all: it has been to the customer."""
    if after is None:
        return None
    try:
        fits = 0 < len(after.encode()) <= SORT_BYTES_MAX
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise fault("/after", "cursor_unknown", "This is not the cursor of any page.")
    return after
