"""Input schemas: what each kind takes, to its ends, and where a fault is."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage.domain import limits
from wharfage.domain.input_schema import ObjectSchema, Schema, input_faults, schema_faults

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def schema(written: dict[str, Any]) -> Schema:
    """Read a schema as the API does."""
    found: Schema = msgspec.convert(written, Schema)
    return found


def codes(written: dict[str, Any], value: Any) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in input_faults(schema(written), value, "")]


INTEGER = {"type": "integer", "minimum": 2, "maximum": 4}
NUMBER = {"type": "number", "minimum": 0, "maximum": 1}
TEXT = {"type": "string", "minLength": 1, "maxLength": 3}
CHOICE = {"type": "string", "enum": ["a", "b"]}
LIST = {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2}
OBJECT = {"type": "object", "properties": {"a": INTEGER, "b": TEXT}, "required": ["a"]}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (INTEGER, 2), (INTEGER, 4), ({"type": "integer"}, -(10**38)),
        (NUMBER, 0), (NUMBER, 1), (NUMBER, 0.5),
        (TEXT, "x"), (TEXT, "放大图"), ({"type": "string"}, ""), (CHOICE, "a"),
        ({"type": "boolean"}, False),
        (LIST, [True]), (LIST, [True, False]), ({"type": "array", "items": TEXT}, []),
        (OBJECT, {"a": 2}), (OBJECT, {"a": 2, "b": "x"}), ({"type": "object"}, {}),
    ],
)  # fmt: skip
def test_what_fits_has_no_fault(written: dict[str, Any], value: Any) -> None:
    assert codes(written, value) == []


@pytest.mark.parametrize(
    ("written", "value", "faults"),
    [
        (INTEGER, 1, [("", "too_small")]), (INTEGER, 5, [("", "too_large")]),
        (INTEGER, 2.0, [("", "type")]), (INTEGER, True, [("", "type")]),
        (INTEGER, "2", [("", "type")]), (INTEGER, None, [("", "type")]),
        (NUMBER, -0.001, [("", "too_small")]), (NUMBER, 1.001, [("", "too_large")]),
        (NUMBER, False, [("", "type")]),
        (TEXT, "", [("", "too_short")]), (TEXT, "xxxx", [("", "too_long")]),
        (TEXT, 1, [("", "type")]), (CHOICE, "c", [("", "enum")]), (CHOICE, "", [("", "enum")]),
        ({"type": "boolean"}, 0, [("", "type")]),
        (LIST, [], [("", "too_short")]), (LIST, [True] * 3, [("", "too_long")]),
        (LIST, [True, 1], [("/1", "type")]), (LIST, {"0": True}, [("", "type")]),
        (OBJECT, {}, [("/a", "missing")]), (OBJECT, [], [("", "type")]),
        (OBJECT, {"a": 1, "b": "", "c": 0},
         [("/a", "too_small"), ("/b", "too_short"), ("", "unknown")]),
        ({"type": "object", "properties": {"inner": OBJECT}}, {"inner": {"a": 9}},
         [("/inner/a", "too_large")]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_where_it_is(
    written: dict[str, Any], value: Any, faults: list[tuple[str, str]]
) -> None:
    assert codes(written, value) == faults


@given(json_values)
def test_any_json_is_taken_or_refused(value: Any) -> None:
    for written in (INTEGER, NUMBER, TEXT, CHOICE, LIST, OBJECT):
        codes(written, value)


@pytest.mark.parametrize(
    "written",
    [
        {"type": "null"}, {"type": ["string"]}, {}, {"type": "string", "pattern": "a"},
        {"type": "string", "min_length": 1}, {"type": "array"}, {"type": "string", "enum": []},
        {"type": "integer", "minimum": 0.5}, {"type": "integer", "minimum": 2**53 + 1},
        {"type": "object", "properties": {"a b": TEXT}},
        {"type": "object", "properties": {"$ref": TEXT}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "object",
         "properties": {f"a{n}": TEXT for n in range(limits.SCHEMA_PROPERTIES_MAX + 1)}},
    ],
)  # fmt: skip
def test_a_word_that_is_not_of_the_subset_is_refused_when_the_template_is_defined(
    written: dict[str, Any],
) -> None:
    with pytest.raises(msgspec.ValidationError):
        schema(written)


@pytest.mark.parametrize(
    ("written", "pointer"),
    [
        ({"type": "integer", "minimum": 2, "maximum": 1}, "/input"),
        ({"type": "string", "minLength": 2, "maxLength": 1}, "/input"),
        ({"type": "array", "items": TEXT, "minItems": 2, "maxItems": 1}, "/input"),
        ({"type": "array", "items": {"type": "number", "minimum": 2, "maximum": 1}},
         "/input/items"),
        ({"type": "object", "required": ["a"]}, "/input/required"),
        ({"type": "object", "properties": {"a": {"type": "object", "required": ["b"]}}},
         "/input/properties/a/required"),
    ],
)  # fmt: skip
def test_a_schema_that_nothing_satisfies_is_refused(written: dict[str, Any], pointer: str) -> None:
    assert [fault.pointer for fault in schema_faults(schema(written), "/input")] == [pointer]


def test_a_schema_is_stored_and_read_back_as_it_was() -> None:
    found = schema(OBJECT)

    assert isinstance(found, ObjectSchema)
    assert msgspec.convert(msgspec.to_builtins(found), Schema) == found
    assert msgspec.json.decode(msgspec.json.encode(found), type=Schema) == found
