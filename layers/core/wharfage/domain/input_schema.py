"""What a job template takes as its input: a small subset of JSON Schema, and the check against it.

The words are JSON Schema's own, so that a form can be made from them; what is not here is refused
when the operator defines the template. Properties that a schema does not name are refused.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from wharfage.domain import limits
from wharfage.domain.errors import Fault
from wharfage.domain.record import Body

Text = Annotated[str, Meta(max_length=limits.SCHEMA_TEXT_CHARACTERS_MAX)]
PropertyName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$(?!\n)")]
Bound = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Length = Annotated[int, Meta(ge=0, le=limits.INPUT_BYTES_MAX)]
Names = Annotated[tuple[PropertyName, ...], Meta(max_length=limits.SCHEMA_PROPERTIES_MAX)]


class StringSchema(Body, frozen=True, kw_only=True, tag_field="type", tag="string", rename="camel"):
    """A text, by its length in characters, or one of a list."""

    description: Text | None = None
    min_length: Length | None = None
    max_length: Length | None = None
    enum: (
        Annotated[tuple[Text, ...], Meta(min_length=1, max_length=limits.SCHEMA_PROPERTIES_MAX)]
        | None
    ) = None


class IntegerSchema(
    Body, frozen=True, kw_only=True, tag_field="type", tag="integer", rename="camel"
):
    """A whole number."""

    description: Text | None = None
    minimum: Bound | None = None
    maximum: Bound | None = None


class NumberSchema(Body, frozen=True, kw_only=True, tag_field="type", tag="number", rename="camel"):
    """A number, whole or not."""

    description: Text | None = None
    minimum: Bound | None = None
    maximum: Bound | None = None


class BooleanSchema(
    Body, frozen=True, kw_only=True, tag_field="type", tag="boolean", rename="camel"
):
    """Yes or no."""

    description: Text | None = None


class ArraySchema(Body, frozen=True, kw_only=True, tag_field="type", tag="array", rename="camel"):
    """A list of things of one kind."""

    items: "Schema"
    description: Text | None = None
    min_items: Length | None = None
    max_items: Length | None = None


class ObjectSchema(Body, frozen=True, kw_only=True, tag_field="type", tag="object", rename="camel"):
    """Named things; those that *required* does not name may be left out."""

    properties: Annotated[
        dict[PropertyName, "Schema"], Meta(max_length=limits.SCHEMA_PROPERTIES_MAX)
    ] = {}
    required: Names = ()
    description: Text | None = None


Schema = StringSchema | IntegerSchema | NumberSchema | BooleanSchema | ArraySchema | ObjectSchema


def schema_faults(schema: Schema, pointer: str) -> Iterator[Fault]:
    """Say what no value could satisfy, so that the operator hears of it and not a customer."""
    match schema:
        case StringSchema(min_length=least, max_length=most):
            yield from _crossed(least, most, pointer)
        case IntegerSchema(minimum=least, maximum=most) | NumberSchema(minimum=least, maximum=most):
            yield from _crossed(least, most, pointer)
        case ArraySchema(min_items=least, max_items=most, items=items):
            yield from _crossed(least, most, pointer)
            yield from schema_faults(items, f"{pointer}/items")
        case ObjectSchema(properties=properties, required=required):
            for name in required:
                if name not in properties:
                    message = f"{name} is required and is no property."
                    yield Fault(pointer=f"{pointer}/required", code="unknown", message=message)
            for name, each in properties.items():
                yield from schema_faults(each, f"{pointer}/properties/{name}")


def input_faults(schema: Schema, value: Any, pointer: str = "/input") -> Iterator[Fault]:
    """Say what is wrong with a value, at every place where something is."""
    match schema:
        case StringSchema():
            yield from _string_faults(schema, value, pointer)
        case IntegerSchema() | NumberSchema():
            yield from _number_faults(schema, value, pointer)
        case BooleanSchema():
            if not isinstance(value, bool):
                yield _fault(pointer, "type", "This is true or false.")
        case ArraySchema():
            yield from _array_faults(schema, value, pointer)
        case ObjectSchema():
            yield from _object_faults(schema, value, pointer)


def _string_faults(schema: StringSchema, value: Any, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield _fault(pointer, "type", "This is a text.")
    elif schema.enum is not None and value not in schema.enum:
        yield _fault(pointer, "enum", f"One of: {', '.join(schema.enum)}.")
    else:
        yield from _size_faults(
            len(value), schema.min_length, schema.max_length, pointer, "characters"
        )


def _number_faults(
    schema: IntegerSchema | NumberSchema, value: Any, pointer: str
) -> Iterator[Fault]:
    whole = isinstance(schema, IntegerSchema)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        yield _fault(pointer, "type", "This is a whole number." if whole else "This is a number.")
    elif schema.minimum is not None and value < schema.minimum:
        yield _fault(pointer, "too_small", f"At least {schema.minimum}.")
    elif schema.maximum is not None and value > schema.maximum:
        yield _fault(pointer, "too_large", f"At most {schema.maximum}.")


def _array_faults(schema: ArraySchema, value: Any, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield _fault(pointer, "type", "This is a list.")
        return
    yield from _size_faults(len(value), schema.min_items, schema.max_items, pointer, "items")
    for place, each in enumerate(value):
        yield from input_faults(schema.items, each, f"{pointer}/{place}")


def _object_faults(schema: ObjectSchema, value: Any, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield _fault(pointer, "type", "This is an object.")
        return
    for name in schema.required:
        if name not in value:
            yield _fault(f"{pointer}/{name}", "missing", "This is needed.")
    for name, each in value.items():
        if name in schema.properties:
            yield from input_faults(schema.properties[name], each, f"{pointer}/{name}")
        else:
            yield _fault(pointer, "unknown", "There is a name that the template does not know.")


def _size_faults(
    size: int, least: int | None, most: int | None, pointer: str, what: str
) -> Iterator[Fault]:
    if least is not None and size < least:
        yield _fault(pointer, "too_short", f"At least {least} {what}.")
    elif most is not None and size > most:
        yield _fault(pointer, "too_long", f"At most {most} {what}.")


def _crossed(least: int | None, most: int | None, pointer: str) -> Iterator[Fault]:
    if least is not None and most is not None and least > most:
        yield _fault(pointer, "range", "Nothing is both at least and at most this.")


def _fault(pointer: str, code: str, message: str) -> Fault:
    return Fault(pointer=pointer, code=code, message=message)
