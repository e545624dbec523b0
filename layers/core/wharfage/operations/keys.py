"""Idempotency keys: the same request sent again makes nothing again and gets the same object."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Generic, TypeVar

import msgspec

from wharfage.domain.account import KeyRecord, Principal
from wharfage.domain.errors import KeyReused, Refused
from wharfage.ports import Ports
from wharfage.schema import KEY
from wharfage.transaction import Item, Put, absent

T = TypeVar("T")


@dataclass(eq=False)
class Replay(Refused):
    """The key was used before for the same body; *object_id* is what it made. Never leaves."""

    object_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Made(Generic[T]):
    """What a request made, now or, when *replayed*, the first time it came."""

    value: T
    replayed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request that may be sent again: who asks for what, under which key, with which body."""

    who: Principal
    operation: str  #: Stable and ours, as `orders.open`: keys of different operations never meet.
    key: str | None  #: None when the client sent none.
    body: msgspec.Struct


def record(request: Request, *, object_id: str, now: datetime) -> tuple[Put, ...]:
    """Remember what this key makes; to come first in the transaction that makes it.

    Without a key there is nothing to remember and the answer is empty. When the key is taken,
    the commit raises Replay (same body: find the object and answer with it) or KeyReused.
    """
    if request.key is None:
        return ()

    def taken(item: Item | None) -> Refused:
        assert item is not None, "a key that was refused as taken exists"
        return _again(request, item["body_hash"], item["object_id"])

    row = KeyRecord(
        account=request.who.account,
        operation=request.operation,
        key=request.key,
        body_hash=body_hash(request.body),
        object_id=object_id,
        created_at=now,
    )
    return (Put(row, when=[absent()], otherwise=taken),)


def known(request: Request, row: KeyRecord | None) -> None:
    """Act on a key's own row, read before it is decided whether anything is made at all.

    Raises: Replay, KeyReused.
    """
    if row is not None:
        raise _again(request, row.body_hash, row.object_id)


def made_before(ports: Ports, request: Request) -> str | None:
    """Name what this very request made before, for those who cannot even begin; None if nothing.

    Raises: KeyReused.
    """
    if request.key is None:
        return None
    key = KEY.key(account=request.who.account, operation=request.operation, key=request.key)
    try:
        known(request, ports.store.get(key))
    except Replay as replay:
        return replay.object_id
    return None


def body_hash(body: msgspec.Struct) -> str:
    """Digest what a body says, whatever its spacing and the order of its names."""
    return sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


def _again(request: Request, digest: str, object_id: str) -> Refused:
    """Say what a key means that was used before."""
    return Replay(object_id) if digest == body_hash(request.body) else KeyReused()
