"""What the parts of the API have in common: the client behind them, and how they write."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from wharfage_client.transport import Call
from wharfage_client.views import Page


class Asking(Protocol):
    """What asks the API; `Client` is one."""

    def open(self, call: Call) -> Any:
        """Make a call that needs nobody to be signed in."""

    def ask(self, call: Call) -> Any:
        """Make a call as the one who is signed in."""

    def get(self, path: str, wait_seconds: int = 0, **query: str | int | None) -> Any:
        """Read from the API; parameters that are None are left out."""

    def page(
        self,
        path: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        state: str | None = None,
    ) -> Page[Any]:
        """Read a part of a list, or of those in it that are in one *state*."""

    def newest(self, path: str, *, most: int, state: str | None = None) -> Iterator[Any]:
        """Read a list, newest first, up to *most* items."""


class Group:
    """A part of the API."""

    def __init__(self, client: Asking) -> None:
        self._client = client


def new_key() -> str:
    """Make an Idempotency-Key that nobody else has."""
    return str(uuid.uuid4())


def post(
    path: str, body: Mapping[str, Any] | None, *, key: str | None = None, repeatable: bool = False
) -> Call:
    """Write a POST; one that is *repeatable* may be sent again when its answer was lost."""
    return Call(method="POST", path=path, body=body, key=key, repeatable=repeatable)
