"""What the parts of the API have in common: the client behind them, and how they write."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wharfage_client.transport import Call

if TYPE_CHECKING:
    from wharfage_client.api import Client


class Group:
    """A part of the API."""

    def __init__(self, client: "Client") -> None:
        self._client = client


def new_key() -> str:
    """Make an Idempotency-Key that nobody else has."""
    return str(uuid.uuid4())


def post(
    path: str, body: Mapping[str, Any] | None, *, key: str | None = None, repeatable: bool = False
) -> Call:
    """Write a POST; one that is *repeatable* may be sent again when its answer was lost."""
    return Call(method="POST", path=path, body=body, key=key, repeatable=repeatable)
