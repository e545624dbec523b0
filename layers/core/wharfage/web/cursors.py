"""Cursors: opaque, signed places in a list, good for one route and one account."""

import base64
import hmac
from typing import Generic, TypeVar

from wharfage.domain.errors import fault
from wharfage.domain.record import View

V = TypeVar("V")

_MAC_BYTES = 16
_CURSOR_CHARACTERS_MAX = 2048


class Listing(View, Generic[V], frozen=True, kw_only=True):
    """A part of a list, newest first; *next_cursor* asks for the part after it."""

    items: tuple[V, ...]
    next_cursor: str | None = None


def seal(place: str, *, key: bytes, scope: str) -> str:
    """Make a cursor from a place in a list."""
    plain = place.encode()
    return base64.urlsafe_b64encode(_mac(plain, key, scope) + plain).decode().rstrip("=")


def unseal(cursor: str, *, key: bytes, scope: str) -> str:
    """Return the place that a cursor of this scope names.

    Raises: Invalid, also for a cursor of another list or account.
    """
    refusal = fault("?cursor", "cursor", "This cursor is not from this list.")
    if len(cursor) > _CURSOR_CHARACTERS_MAX:
        raise refusal
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise refusal from None
    mac, plain = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(plain, key, scope)):
        raise refusal
    return plain.decode()


def _mac(plain: bytes, key: bytes, scope: str) -> bytes:
    return hmac.digest(key, scope.encode() + b"\0" + plain, "sha256")[:_MAC_BYTES]
