"""What a transaction does to items: pure functions, exact to DynamoDB's meaning.

Text is compared by code points, which is the order of UTF-8 bytes. A number never equals a
boolean, and a comparison across types is false, never an error.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from wharfage.adapters.changes import check_item, check_value
from wharfage.adapters.rows import Change, PutItem, Rejected
from wharfage.schema import TABLES, Index
from wharfage.transaction import (
    Absent,
    AtLeast,
    Below,
    Check,
    Condition,
    Delete,
    Equals,
    Item,
    OneOf,
    Present,
    Update,
)

_LAST = "\U0010ffff"
_SURROGATES = range(0xD800, 0xE000)  #: Code points that no UTF-8 text has.


def outcome(changes: Sequence[Change], items: Sequence[Item | None]) -> list[Item | None]:
    """Return what the changes make of the items as they are, one for each change.

    Raises: Rejected, with every change that has a failed condition.
    """
    failures = {
        position: item
        for position, (change, item) in enumerate(zip(changes, items, strict=True))
        if not all(holds(condition, item) for condition in change.when)
    }
    if failures:
        raise Rejected(failures)
    return [_after(change, item) for change, item in zip(changes, items, strict=True)]


def holds(condition: Condition, item: Item | None) -> bool:
    """Tell whether a condition is true of an item as it is."""
    name = condition.attribute
    # No item, no attribute: both are None here, for None itself is never stored.
    value = item if item is None or name is None else item.get(name)
    match condition:
        case Absent():
            return value is None
        case Present():
            return value is not None
        case Equals(value=wanted):
            return value is not None and same(value, wanted)
        case AtLeast(value=least):
            return type(value) is int and value >= least
        case Below(value=limit):
            return value is None or (type(value) is int and value < limit)
        case OneOf(values=values):
            return isinstance(value, str) and value in values


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal in type, too, all the way down."""
    if type(one) is not type(other):
        return False
    match one:
        case dict():
            return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
        case list():
            return len(one) == len(other) and all(map(same, one, other))
        case _:
            return bool(one == other)


def places(table: str, item: Item | None) -> Iterator[tuple[Index, str, str]]:
    """Yield each index that an item is in, with its partition and its position there."""
    item = item or {}
    for index in TABLES[table]:
        partition, position = item.get(index.partition), item.get(index.sort)
        if partition is not None and position is not None:
            yield index, partition, position


def beyond(prefix: str) -> str | None:
    """Return the first text, in order, behind all that begins with *prefix*; None if none is."""
    stem = prefix.rstrip(_LAST)
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)


def _after(change: Change, item: Item | None) -> Item | None:
    match change:
        case PutItem():
            return change.item
        case Delete():
            return None
        case Check():
            return item
        case Update():
            return _updated(change, item)


def _updated(change: Update, item: Item | None) -> Item:
    after = {"partition": change.key.partition, "sort": change.key.sort, **(item or {})}
    after |= change.set
    for name, amount in change.add.items():
        before = after.get(name, 0)
        if type(before) is not int:
            raise AssertionError(f"{name} is no number, so nothing can be added to it")
        after[name] = before + amount
        check_value(after[name])
    for name in change.remove:
        after.pop(name, None)
    check_item(change.key, after)
    return after
