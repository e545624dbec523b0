"""Conditions, updates and values in DynamoDB's words, through pynamodb's expressions."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_
from typing import Any

from pynamodb.expressions import condition as words
from pynamodb.expressions.operand import Path, Value
from pynamodb.expressions.update import Action

from wharfage.transaction import (
    Absent,
    AtLeast,
    Below,
    Condition,
    Equals,
    Item,
    OneOf,
    Present,
    Update,
)


def all_of(conditions: Sequence[Condition]) -> words.Condition | None:
    """Join conditions to one; None if there is none."""
    return reduce(and_, map(_condition, conditions)) if conditions else None


def actions_of(update: Update) -> list[Action]:
    """Say what an update sets, adds and removes."""
    return [
        *(_path(name).set(value_of(value)) for name, value in update.set.items()),
        *(_path(name).add(value_of(amount)) for name, amount in update.add.items()),
        *(_path(name).remove() for name in update.remove),
    ]


def value_of(value: Any) -> Value:
    """Make an operand. It is typed here: pynamodb would take {"S": "x"} for typed already."""
    return Value(typed(value))


def attributes_of(item: Item) -> dict[str, Any]:
    """Write an item as DynamoDB's typed attributes."""
    return {name: typed(value) for name, value in item.items()}


def item_of(attributes: Mapping[str, Any]) -> Item:
    """Read an item from DynamoDB's typed attributes."""
    return {name: untyped(attribute) for name, attribute in attributes.items()}


def typed(value: Any) -> dict[str, Any]:
    """Write a value with DynamoDB's name of its type."""
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case list():
            return {"L": [typed(each) for each in value]}
        case dict():
            return {"M": attributes_of(value)}
        case _:
            raise AssertionError(f"{type(value).__name__} is never stored")


def untyped(attribute: Mapping[str, Any]) -> Any:
    """Read a value that `typed` wrote."""
    [(kind, value)] = attribute.items()
    match kind:
        case "N":
            return int(value)
        case "L":
            return [untyped(each) for each in value]
        case "M":
            return item_of(value)
        case "BOOL" | "S" | "B":
            return value
        case _:
            raise AssertionError(f"an attribute of type {kind} is not ours")


def _path(name: str) -> Path:
    return Path([name])  # In a list, so that a dot in a name does not lead into a map.


def _condition(condition: Condition) -> words.Condition:
    path = _path(condition.attribute or "partition")
    match condition:
        case Absent():
            return path.does_not_exist()
        case Present():
            return path.exists()
        case Equals(value=value):
            return path == value_of(value)
        case AtLeast(value=value):
            return path >= value_of(value)
        case Below(value=value):
            return words.Or(path.does_not_exist(), path < value_of(value))
        case OneOf(values=values):
            return path.is_in(*map(value_of, values))
