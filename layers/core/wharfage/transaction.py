"""Transactions as data: what is to be written, and under which conditions.

A transaction is a list of actions. The store applies all of them or none, and on none it
says which action failed. `otherwise` of the first failing action, in the order the operation
wrote them, is the refusal that the caller sees.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from wharfage.domain.errors import Refused

ACTIONS_MAX = 10  #: DynamoDB Local's limit, kept everywhere so that every store agrees.
ITEM_BYTES_MAX = 400 * 1024  #: DynamoDB's limit on one item.
NUMBER_DIGITS_MAX = 38  #: DynamoDB's limit on one number.

Item = Mapping[str, Any]  #: str, int, bool, bytes, list, dict; never None and never float.
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Key(NamedTuple, Generic[R_co]):
    """Where one item lives; the type parameter is the record that lives there."""

    table: str
    partition: str
    sort: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The attribute, or with no attribute the whole item, does not exist."""

    attribute: str | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """The attribute, or with no attribute the whole item, exists."""

    attribute: str | None = None


@dataclass(frozen=True, slots=True)
class Equals:
    """The attribute exists and is exactly this value."""

    attribute: str
    value: Any


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The attribute exists and is a number that is not below *value*."""

    attribute: str
    value: int


@dataclass(frozen=True, slots=True)
class Below:
    """The attribute is absent, or is a number below *value*."""

    attribute: str
    value: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """The attribute exists and is one of these strings."""

    attribute: str
    values: tuple[str, ...]


Condition = Absent | Present | Equals | AtLeast | Below | OneOf

#: A refusal, or how to make one from the item as it was (None when there was none).
Otherwise = Refused | Callable[[Item | None], Refused]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Conditional:
    when: Sequence[Condition] = ()
    otherwise: Otherwise | None = None


@dataclass(frozen=True, slots=True)
class Put(_Conditional):
    """Write a whole record. With *proves*, its key is new in this very transaction, so finding
    it there already means that this transaction was applied and only its answer was lost.
    """

    record: Any = field(kw_only=False)
    proves: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Update(_Conditional):
    """Set, add to, or remove attributes of one item; it is made if no condition forbids."""

    key: Key[Any] = field(kw_only=False)
    set: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    add: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    remove: Sequence[str] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True)
class Delete(_Conditional):
    """Remove one item; removing what is not there is no failure unless a condition says so."""

    key: Key[Any] = field(kw_only=False)


@dataclass(frozen=True, slots=True)
class Check(_Conditional):
    """Change nothing, but fail the transaction unless the conditions hold."""

    key: Key[Any] = field(kw_only=False)


Action = Put | Update | Delete | Check


def absent(attribute: str | None = None) -> Absent:
    """Require that the attribute, or the item, does not exist."""
    return Absent(attribute)


def present(attribute: str | None = None) -> Present:
    """Require that the attribute, or the item, exists."""
    return Present(attribute)


def equals(attribute: str, value: Any) -> Equals | Absent:
    """Require this value; None means that the attribute must be absent."""
    return Absent(attribute) if value is None else Equals(attribute, value)


def at_least(attribute: str, value: int) -> AtLeast:
    """Require a number that is not below *value*."""
    return AtLeast(attribute, value)


def below(attribute: str, value: int) -> Below:
    """Require that the attribute is absent or a number below *value*."""
    return Below(attribute, value)


def one_of(attribute: str, values: Sequence[str]) -> OneOf:
    """Require one of these strings."""
    return OneOf(attribute, tuple(values))
