"""Our own mistakes: what no transaction may hold is refused before it is sent."""

from typing import Any

import pytest

from wharfage import schema
from wharfage.adapters.changes import DEPTH_MAX, PARTITION_BYTES_MAX, SORT_BYTES_MAX, changes_of
from wharfage.adapters.changes import check_value as size_of
from wharfage.domain.balance import Balance, HoldState
from wharfage.transaction import (
    Check,
    Delete,
    Key,
    OneOf,
    Put,
    Update,
    absent,
    at_least,
    below,
    equals,
    one_of,
    present,
)

KEY = schema.BALANCE.key(account="acc")
THERE = [present()]
BALANCE = Balance(account="acc")


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    ("mistake", "action"),
    [
        ("float", Update(KEY, set={"a": 1.5}, when=THERE)),
        ("float", Update(KEY, set={"a": {"b": [1.5]}}, when=THERE)),
        ("NoneType", Update(KEY, set={"a": None}, when=THERE)),
        ("39 digits", Update(KEY, set={"a": 10**38}, when=THERE)),
        ("39 digits", Update(KEY, set={"a": -(10**38)}, when=THERE)),
        ("39 digits", Update(KEY, add={"a": 10**38}, when=THERE)),
        ("39 digits", Check(KEY, when=[at_least("a", 10**38)])),
        ("nested", Update(KEY, set={"a": nested(DEPTH_MAX + 1)}, when=THERE)),
        ("UTF-8", Update(KEY, set={"a": "\ud800"}, when=THERE)),
        ("empty", Update(KEY, set={"": 1}, when=THERE)),
        ("empty", Update(KEY, set={"a": {"": 1}}, when=THERE)),
        ("empty", Update(KEY, set={"due_at": ""}, when=THERE)),
        ("a key is text", Update(KEY, set={"due_at": 1}, when=THERE)),
        ("whole numbers are added", Update(KEY, add={"a": True}, when=THERE)),
        ("whole numbers are compared", Check(KEY, when=[below("a", True)])),
        ("100 values", Check(KEY, when=[one_of("a", ())])),
        ("float", Check(KEY, when=[equals("a", 0.5)])),
        ("changes nothing", Update(KEY, when=THERE)),
        ("twice", Update(KEY, set={"a": 1}, add={"a": 1}, when=THERE)),
        ("twice", Update(KEY, set={"a": 1}, remove=["a"], when=THERE)),
        ("its key", Update(KEY, set={"sort": "other"}, when=THERE)),
        ("its key", Update(KEY, remove=["partition"], when=THERE)),
        ("to be there", Update(KEY, add={"available": 1})),
        ("to be there", Update(KEY, add={"available": 1}, when=[below("available", 5)])),
        ("without a condition", Check(KEY)),
        ("empty", Delete(Key("money", "", "s"))),
        ("empty", Delete(Key("money", "p", ""))),
        ("2048 bytes", Delete(Key("money", "x" * (PARTITION_BYTES_MAX + 1), "s"))),
        ("1024 bytes", Delete(Key("money", "p", "é" * (SORT_BYTES_MAX // 2) + "x"))),
        ("no table", Delete(Key("elsewhere", "p", "s"))),
        ("to be absent", Put(BALANCE, proves=True)),
        ("to be absent", Put(BALANCE, proves=True, when=[absent("available")])),
    ],
)
def test_a_mistake_is_named(mistake, action):
    with pytest.raises(AssertionError, match=mistake):
        changes_of([action])


@pytest.mark.parametrize(
    "action",
    [
        Update(KEY, set={"a": 10**38 - 1, "b": -(10**38) + 1}, when=THERE),
        Update(KEY, set={"a": nested(DEPTH_MAX)}, when=THERE),
        Update(KEY, set={"a": "", "b": b"", "c": [], "d": {}}, when=THERE),
        Update(KEY, add={"available": 1}, when=[at_least("available", 0)]),
        Update(KEY, add={"available": 1}, when=[equals("account", "acc")]),
        Update(KEY, add={"available": 1}, when=[one_of("state", ["open"])]),
        Update(KEY, add={"available": 1}, set={"record": "balance", "account": "acc"}),
        Delete(Key("money", "x" * PARTITION_BYTES_MAX, "é" * (SORT_BYTES_MAX // 2))),
        Put(BALANCE, proves=True, when=[absent()]),
    ],
)
def test_what_is_at_a_limit_is_no_mistake(action):
    assert len(changes_of([action])) == 1


def test_one_action_proves_a_transaction_and_not_two():
    proofs = [Put(Balance(account=name), proves=True, when=[absent()]) for name in ("a", "b")]

    with pytest.raises(AssertionError, match="one action proves"):
        changes_of(proofs)


def test_values_and_conditions_are_stored_as_records_store_them():
    [update] = changes_of([Update(KEY, set={"s": HoldState.OPEN}, when=[equals("s", "open")])])
    [check] = changes_of([Check(KEY, when=[one_of("s", list(HoldState))])])

    assert isinstance(update, Update)
    assert type(update.set["s"]) is str
    [condition] = check.when
    assert isinstance(condition, OneOf)
    assert [type(value) for value in condition.values] == [str, str]


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("", 0),
        ("é", 2),
        (b"\x00\xff", 2),
        (True, 1),
        (7, 2),
        (100, 2),
        (123, 3),
        ([], 3),
        (["ab"], 6),
        ({"a": "bc"}, 7),
    ],
)
def test_a_value_has_the_size_that_dynamodb_says(value, size):
    assert size_of(value) == size
