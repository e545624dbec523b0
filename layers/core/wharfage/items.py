"""Records as items: how the stores keep them, and how one state is written over another."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from wharfage.domain.record import Record
from wharfage.schema import (
    KEY_ATTRIBUTES,
    KINDS,
    TTL,
    Kind,
    due_partition,
    fill,
    named,
    timestamp,
)
from wharfage.transaction import Key, Otherwise, Update, equals

R = TypeVar("R", bound=Record)

_BY_RECORD: Mapping[type[Record], Kind[Any]] = {kind.record: kind for kind in KINDS}
_BY_NAME: Mapping[str, Kind[Any]] = {kind.name: kind for kind in KINDS}
#: None is never stored, so a field without a default that is not there was None.
_UNSET: Mapping[str, Mapping[str, None]] = {
    kind.name: {each.name: None for each in msgspec.structs.fields(kind.record) if each.required}
    for kind in KINDS
}
#: The fields that are written into keys.
_INDEXED: Mapping[str, frozenset[str]] = {
    kind.name: frozenset(
        name
        for template in (kind.partition, kind.sort, kind.ready or "", *(kind.timeline or ()))
        for name in named(template)
    )
    for kind in KINDS
}
_AS_IT_IS = frozenset({str, int, bool, bytes})


def encode(record: Record) -> tuple[Key[Any], dict[str, Any]]:
    """Turn a record into the key and the item that the stores keep."""
    kind = _BY_RECORD[type(record)]
    item = encode_value(record)
    fields = {name: getattr(record, name) for name in _INDEXED[kind.name]}
    key = kind.key(**fields)
    item |= {"partition": key.partition, "sort": key.sort, "record": kind.name}
    if kind.due:
        digest = blake2b(f"{key.partition}/{key.sort}".encode(), digest_size=2).digest()
        item["due"] = due_partition(kind.name, int.from_bytes(digest) % kind.due)
    if kind.ready:
        item["ready"] = fill(kind.ready, fields)
    if kind.timeline:
        item["timeline"], item["timeline_at"] = (fill(each, fields) for each in kind.timeline)
    if kind.ttl and (expires_at := getattr(record, kind.ttl)) is not None:
        item[TTL] = int(expires_at.timestamp())
    return key, item


def decode(item: Mapping[str, Any]) -> Record:
    """Turn a stored item back into its record."""
    kind = _BY_NAME[item["record"]]
    record: Record = msgspec.convert({**_UNSET[kind.name], **item}, kind.record)
    return record


def encode_value(value: object) -> Any:
    """Turn a value into what an item may hold: no None, no datetime, no Struct, no float."""
    return _stored(msgspec.to_builtins(value, builtin_types=(bytes, datetime)))


def change(old: R, new: R, *, otherwise: Otherwise | None = None) -> Update:
    """Write what differs between two states of a versioned record, if it is still as read."""
    key, before = encode(old)
    _, after = encode(new)
    if after["version"] != before["version"] + 1:
        raise AssertionError("a change raises the version by one")
    return Update(
        key,
        set={name: value for name, value in after.items() if before.get(name) != value},
        remove=tuple(name for name in before if name not in after),
        when=[equals("version", before["version"])],
        otherwise=otherwise,
    )


def merge(record: Record, *, without: tuple[str, ...] = ()) -> Update:
    """Write what a record says into its item, made if need be.

    What is None, and the attributes *without*, are left as they are.
    """
    key, item = encode(record)
    left_out = (*KEY_ATTRIBUTES, *without)
    return Update(key, set={name: item[name] for name in item if name not in left_out})


def _stored(value: Any) -> Any:
    match value:
        case datetime():
            return timestamp(value)
        case dict():
            return {
                name: each if type(each) in _AS_IT_IS else _stored(each)
                for name, each in value.items()
                if each is not None
            }
        case list() | tuple():
            return [_stored(each) for each in value]
        case float():
            raise AssertionError("floats are never stored")
        case _:
            return value
