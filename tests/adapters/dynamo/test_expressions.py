"""What conditions, updates and values become in DynamoDB's words."""

import pytest

from wharfage.adapters.dynamo.expressions import actions_of, all_of, item_of, typed, untyped
from wharfage.transaction import (
    Absent,
    AtLeast,
    Below,
    Equals,
    Key,
    OneOf,
    Present,
    Update,
)


@pytest.mark.parametrize(
    ("condition", "expression", "values"),
    [
        (Absent(), "attribute_not_exists (#0)", {}),
        (Present(), "attribute_exists (#0)", {}),
        (Absent("a"), "attribute_not_exists (#0)", {}),
        (Present("a"), "attribute_exists (#0)", {}),
        (Equals("a", {"S": "x"}), "#0 = :0", {":0": {"M": {"S": {"S": "x"}}}}),
        (AtLeast("a", 10**37), "#0 >= :0", {":0": {"N": "1" + "0" * 37}}),
        (Below("a", -1), "(attribute_not_exists (#0) OR #0 < :0)", {":0": {"N": "-1"}}),
        (OneOf("a", ("x", "y")), "#0 IN (:0, :1)", {":0": {"S": "x"}, ":1": {"S": "y"}}),
    ],
)
def test_a_condition_has_its_expression(condition, expression, values):
    names: dict[str, str] = {}
    found: dict[str, str] = {}
    joined = all_of([condition])
    assert joined is not None

    assert joined.serialize(names, found) == expression
    assert found == values
    assert names == {condition.attribute or "partition": "#0"}


def test_conditions_are_joined_and_none_are_none():
    joined = all_of([Present(), Equals("a.b", True)])
    assert joined is not None
    names: dict[str, str] = {}

    assert joined.serialize(names, {}) == "(attribute_exists (#0) AND #1 = :0)"
    assert names == {"partition": "#0", "a.b": "#1"}
    assert all_of([]) is None


def test_an_update_sets_adds_and_removes():
    update = Update(Key("money", "p", "s"), set={"a": {"N": "1"}}, add={"b": -2}, remove=["c.d"])
    names: dict[str, str] = {}
    values: dict[str, str] = {}

    texts = [action.serialize(names, values) for action in actions_of(update)]

    assert texts == ["#0 = :0", "#1 :1", "#2"]
    assert names == {"a": "#0", "b": "#1", "c.d": "#2"}
    assert values == {":0": {"M": {"N": {"S": "1"}}}, ":1": {"N": "-2"}}


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        (True, {"BOOL": True}),
        (0, {"N": "0"}),
        (10**38 - 1, {"N": "9" * 38}),
        ("", {"S": ""}),
        (b"\xff", {"B": b"\xff"}),
        ([1, "x"], {"L": [{"N": "1"}, {"S": "x"}]}),
        ({"BOOL": False}, {"M": {"BOOL": {"BOOL": False}}}),
    ],
)
def test_a_value_goes_there_and_back(value, attribute):
    assert typed(value) == attribute
    assert untyped(attribute) == value
    assert type(untyped(attribute)) is type(value)


@pytest.mark.parametrize("value", [None, 1.5, {1, 2}, (1,)])
def test_what_is_never_stored_has_no_type(value):
    with pytest.raises(AssertionError, match="never stored"):
        typed(value)


def test_an_attribute_of_another_writer_is_not_guessed_at():
    with pytest.raises(AssertionError, match="SS is not ours"):
        item_of({"a": {"SS": ["x"]}})
