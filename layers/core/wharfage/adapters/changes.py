"""Turns a transaction of records into changes of items, and asserts what every store can keep.

All of it is about our own mistakes: what a customer may send is limited long before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from wharfage.adapters.rows import Change, PutItem
from wharfage.items import encode, encode_value
from wharfage.schema import TABLES
from wharfage.transaction import (
    ACTIONS_MAX,
    ITEM_BYTES_MAX,
    NUMBER_DIGITS_MAX,
    Absent,
    Action,
    AtLeast,
    Below,
    Check,
    Condition,
    Equals,
    Item,
    Key,
    OneOf,
    Present,
    Put,
    Update,
)

PARTITION_BYTES_MAX = 2048  #: DynamoDB's limit on a partition key.
SORT_BYTES_MAX = 1024  #: DynamoDB's limit on a sort key.
DEPTH_MAX = 32  #: DynamoDB's limit on lists and maps within each other.
_KEY_ATTRIBUTES = frozenset({"partition", "sort"})


def changes_of(actions: Sequence[Action]) -> list[Change]:
    """Encode a transaction, and assert that every store can carry it out."""
    _require(0 < len(actions) <= ACTIONS_MAX, f"a transaction has 1 to {ACTIONS_MAX} actions")
    changes = [_change(action) for action in actions]
    _require(len({change.key for change in changes}) == len(changes), "two actions on one item")
    proofs = [action for action in actions if isinstance(action, Put) and action.proves]
    _require(len(proofs) <= 1, "one action proves a transaction")
    _require(
        all(Absent(None) in proof.when for proof in proofs), "what proves requires to be absent"
    )
    return changes


def check_key(key: Key[Any]) -> None:
    """Assert that every store can have an item of this key."""
    _require(key.table in TABLES, f"no table {key.table}")
    _check_key_part(key.partition, PARTITION_BYTES_MAX)
    _check_key_part(key.sort, SORT_BYTES_MAX)


def check_item(key: Key[Any], item: Item) -> None:
    """Assert that attributes fit into an item and its indexes: together into 400 KB."""
    size = _attributes_bytes(item)
    if size > ITEM_BYTES_MAX:
        raise AssertionError(f"{key} has {size} bytes")
    for index in TABLES[key.table]:
        for name, limit in ((index.partition, PARTITION_BYTES_MAX), (index.sort, SORT_BYTES_MAX)):
            if name in item:
                _check_key_part(item[name], limit)


def check_value(value: Any, *, depth: int = 0) -> int:
    """Assert that a value can be stored as it is, and return its size in bytes."""
    match value:
        case str():
            return len(value) if value.isascii() else _text_bytes(value)
        case bool():
            return 1
        case int():
            digits = str(abs(value))
            if len(digits) > NUMBER_DIGITS_MAX:
                raise AssertionError(f"a number of {len(digits)} digits")
            return len(digits.rstrip("0")) // 2 + 2
        case bytes():
            return len(value)
        case list():
            _require(depth < DEPTH_MAX, "nested too deep")
            return 3 + sum(1 + check_value(each, depth=depth + 1) for each in value)
        case dict():
            _require(depth < DEPTH_MAX, "nested too deep")
            return 3 + len(value) + _attributes_bytes(value, depth=depth + 1)
        case _:
            raise AssertionError(f"{type(value).__name__} is never stored")


def _attributes_bytes(attributes: Mapping[str, Any], *, depth: int = 0) -> int:
    _require("" not in attributes, "an empty name")
    size = 0
    for name, value in attributes.items():
        size += _name_bytes(name) + check_value(value, depth=depth)
    return size


def _change(action: Action) -> Change:
    when = tuple(_condition(condition) for condition in action.when)
    if isinstance(action, Put):
        key, item = encode(action.record)
        check_key(key)
        check_item(key, item)
        return PutItem(key=key, item=item, when=when)
    check_key(action.key)
    if isinstance(action, Check):
        _require(bool(when), "a check without a condition")
    if isinstance(action, Update):
        _check_update(action)
        values = {name: encode_value(value) for name, value in action.set.items()}
        check_item(action.key, values)
        return Update(action.key, set=values, add=action.add, remove=action.remove, when=when)
    return replace(action, when=when, otherwise=None)


def _check_update(action: Update) -> None:
    names = [*action.set, *action.add, *action.remove]
    _require(bool(names), "an update that changes nothing")
    _require(len(set(names)) == len(names), "an update that changes an attribute twice")
    _require(_KEY_ATTRIBUTES.isdisjoint(names), "an update that changes its key")
    for amount in action.add.values():
        _require(type(amount) is int, "only whole numbers are added")
        check_value(amount)
    # An item made without its kind could never be read again.
    found = any(isinstance(each, Equals | AtLeast | OneOf | Present) for each in action.when)
    _require(
        found or "record" in action.set,
        f"an update of {action.key} requires the item to be there, or sets `record`",
    )


def _condition(condition: Condition) -> Condition:
    match condition:
        case Equals(attribute, value):
            value = encode_value(value)
            check_value(value)
            return Equals(attribute, value)
        case AtLeast(value=value) | Below(value=value):
            _require(type(value) is int, "only whole numbers are compared")
            check_value(value)
        case OneOf(attribute, values):
            _require(0 < len(values) <= 100, "one of 1 to 100 values")
            return OneOf(attribute, tuple(str(encode_value(value)) for value in values))
    return condition


def _check_key_part(value: Any, limit: int) -> None:
    _require(isinstance(value, str), "a key is text")
    _require(value != "", "an empty key")
    if _text_bytes(value) > limit:
        raise AssertionError(f"a key of more than {limit} bytes")


def _text_bytes(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise AssertionError("text that UTF-8 cannot write") from error


_name_bytes = lru_cache(maxsize=1024)(_text_bytes)  # Most names are those of the schema.


def _require(condition: bool, mistake: str) -> None:
    """Assert, also under `python -O`: what gets past here would be money in a wrong place."""
    if not condition:
        raise AssertionError(mistake)
