"""One suite for every store: what conditions and actions mean."""

from typing import Any

import pytest

from tests.fixtures.machine import dynamodb_endpoint, ministack_dynamodb_endpoint
from tests.fixtures.stores import BIGGEST, balance_key, differs, put_item, rows, seen, stand, store
from wharfage.adapters.rows import Rejected
from wharfage.transaction import (
    Absent,
    AtLeast,
    Below,
    Check,
    Delete,
    Equals,
    OneOf,
    Present,
    Update,
)

__all__ = ["dynamodb_endpoint", "ministack_dynamodb_endpoint", "rows", "store"]


#: An item's attributes (None: there is no item), a condition, and whether it holds.
CONDITIONS: list[tuple[dict[str, Any] | None, Any, bool]] = [
    (None, Absent(), True),
    ({}, Absent(), False),
    (None, Present(), False),
    ({}, Present(), True),
    (None, Absent("a"), True),
    ({}, Absent("a"), True),
    ({"a": 0}, Absent("a"), False),
    ({"a": ""}, Absent("a"), False),
    (None, Present("a"), False),
    ({}, Present("a"), False),
    ({"a": False}, Present("a"), True),
    ({"a": ""}, Present("a"), True),
    (None, Equals("a", 1), False),
    ({}, Equals("a", 1), False),
    ({"a": 1}, Equals("a", 1), True),
    ({"a": 2}, Equals("a", 1), False),
    ({"a": "1"}, Equals("a", 1), False),
    ({"a": True}, Equals("a", 1), False),
    ({"a": 1}, Equals("a", True), False),
    ({"a": True}, Equals("a", True), True),
    ({"a": ""}, Equals("a", ""), True),
    ({"a": "\u00e9"}, Equals("a", "e\u0301"), False),
    ({"a": b"\x00\xff"}, Equals("a", b"\x00\xff"), True),
    ({"a": [1, "x"]}, Equals("a", [1, "x"]), True),
    ({"a": [1, "x"]}, Equals("a", ["x", 1]), False),
    ({"a": [1]}, Equals("a", [True]), False),
    ({"a": {"b": 1, "c": ["d"]}}, Equals("a", {"c": ["d"], "b": 1}), True),
    ({"a": {"b": 1}}, Equals("a", {"b": 1, "c": 1}), False),
    ({"a": {"S": "x"}}, Equals("a", {"S": "x"}), True),
    ({"a": "x"}, Equals("a", {"S": "x"}), False),
    ({"a": BIGGEST}, Equals("a", BIGGEST), True),
    ({"a": BIGGEST}, Equals("a", BIGGEST - 1), False),
    ({"a.b": 1}, Equals("a.b", 1), True),
    ({"a": {"b": 1}}, Equals("a.b", 1), False),
    ({"name": 1}, Equals("name", 1), True),  # A reserved word.
    (None, AtLeast("a", 0), False),
    ({}, AtLeast("a", 0), False),
    ({"a": 5}, AtLeast("a", 4), True),
    ({"a": 5}, AtLeast("a", 5), True),
    ({"a": 5}, AtLeast("a", 6), False),
    ({"a": -BIGGEST}, AtLeast("a", -BIGGEST), True),
    ({"a": -BIGGEST}, AtLeast("a", 1 - BIGGEST), False),
    ({"a": "5"}, AtLeast("a", 4), False),
    ({"a": True}, AtLeast("a", 0), False),
    (None, Below("a", 5), True),
    ({}, Below("a", 5), True),
    ({"a": 4}, Below("a", 5), True),
    ({"a": 5}, Below("a", 5), False),
    ({"a": 6}, Below("a", 5), False),
    ({"a": "4"}, Below("a", 5), False),
    ({"a": False}, Below("a", 5), False),
    (None, OneOf("a", ("x",)), False),
    ({}, OneOf("a", ("x",)), False),
    ({"a": "x"}, OneOf("a", ("x",)), True),
    ({"a": "y"}, OneOf("a", ("x", "y")), True),
    ({"a": "z"}, OneOf("a", ("x", "y")), False),
    ({"a": 1}, OneOf("a", ("1",)), False),
]


class TestConditions:
    @pytest.mark.parametrize(("attributes", "condition", "true"), CONDITIONS)
    def test_a_condition_means_the_same_in_every_store(self, rows, attributes, condition, true):
        key = stand(rows, attributes)
        other = balance_key()

        changes = [Check(key, when=[condition]), put_item(other, done=True)]
        if true:
            rows.write(changes)
        else:
            with pytest.raises(Rejected) as caught:
                rows.write(changes)
            assert list(caught.value.failures) == [0]

        assert seen(rows, other) == ({"done": True} if true else None)

    def test_all_conditions_of_an_action_must_hold(self, rows):
        key = stand(rows, {"a": 5, "b": "x"})

        rows.write([Update(key, add={"a": -1}, when=[AtLeast("a", 1), Equals("b", "x")])])
        with pytest.raises(Rejected):
            rows.write([Update(key, add={"a": -1}, when=[AtLeast("a", 1), Equals("b", "y")])])

        assert seen(rows, key) == {"a": 4, "b": "x"}

    @pytest.mark.parametrize("kind", ["put", "update", "delete"])
    def test_one_action_alone_is_as_conditional_as_many(self, rows, kind):
        key = stand(rows, {"a": 5})
        change = {
            "put": put_item(key, a=6, when=[Equals("a", 4)]),
            "update": Update(key, add={"a": 1}, when=[Equals("a", 4)]),
            "delete": Delete(key, when=[Equals("a", 4)]),
        }[kind]

        with pytest.raises(Rejected) as caught:
            rows.write([change])

        [old] = caught.value.failures.values()
        assert old is not None
        assert old["a"] == 5
        assert seen(rows, key) == {"a": 5}


class TestActions:
    def test_a_put_replaces_the_whole_item(self, rows):
        key = stand(rows, {"a": 1, "b": 2})

        rows.write([put_item(key, b=3)])

        assert seen(rows, key) == {"b": 3}

    def test_an_update_sets_adds_and_removes_and_leaves_the_rest(self, rows):
        key = stand(rows, {"a": 1, "b": 2, "c": 3, "d": 4})

        rows.write([Update(key, set={"a": "x", "e": [1]}, add={"b": -5}, remove=["c", "f"])])

        assert seen(rows, key) == {"a": "x", "b": -3, "d": 4, "e": [1]}

    def test_an_update_of_nothing_makes_the_item_and_adds_from_zero(self, rows):
        key = stand(rows, None)

        rows.write([Update(key, set={"a": 1}, add={"b": 7})])

        assert seen(rows, key) == {"a": 1, "b": 7}

    def test_values_come_back_as_they_were_written(self, rows):
        values = {
            "text": "\u0000 \u202e é 船",
            "empty": "",
            "bytes": b"\x00\xff",
            "yes": True,
            "zero": 0,
            "big": BIGGEST,
            "small": -BIGGEST,
            "round": 10**37,
            "list": [1, [True, {"x": b""}], []],
            "map": {"N": "5", "a.b": {}},
        }
        key = stand(rows, values)

        found = seen(rows, key)

        assert found == values
        assert type(found["yes"]) is bool
        assert type(found["zero"]) is int

    def test_a_delete_of_nothing_is_no_failure_unless_a_condition_says_so(self, rows):
        key = stand(rows, None)

        rows.write([Delete(key)])

        with pytest.raises(Rejected) as caught:
            rows.write([Delete(key, when=[Present()])])
        assert caught.value.failures == {0: None}

    def test_a_delete_removes_the_item(self, rows):
        key = stand(rows, {"a": 1})

        rows.write([Delete(key, when=[Equals("a", 1)])])

        assert seen(rows, key) is None

    def test_a_check_changes_nothing(self, rows):
        key, other = stand(rows, {"a": 1}), stand(rows, None)

        rows.write([Check(key, when=[Present()]), put_item(other, b=1)])

        assert seen(rows, key) == {"a": 1}
        assert seen(rows, other) == {"b": 1}

    def test_one_failure_of_ten_leaves_all_as_it_was(self, rows):
        keys = [stand(rows, {"a": number}) for number in range(10)]
        changes = [Update(key, add={"a": 1}, when=[Present()]) for key in keys[:9]]

        with pytest.raises(Rejected):
            rows.write([*changes, Delete(keys[9], when=[Equals("a", 0)])])

        assert [seen(rows, key) for key in keys] == [{"a": number} for number in range(10)]

    def test_adding_to_what_is_no_number_is_our_own_mistake(self, rows):
        key, other = stand(rows, {"a": "1"}), stand(rows, None)

        with pytest.raises(AssertionError):
            rows.write([put_item(other, b=1), Update(key, add={"a": 1})])

        assert seen(rows, key) == {"a": "1"}
        assert seen(rows, other) is None

    def test_a_sum_of_39_digits_is_our_own_mistake(self, request, rows):
        differs(request, "ministack", "ministack adds without a limit")

        key = stand(rows, {"a": BIGGEST})

        with pytest.raises(AssertionError):
            rows.write([Update(key, add={"a": 2})])

        assert seen(rows, key) == {"a": BIGGEST}
