"""Links: addresses that are good for one thing, for a while, for whoever holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """Where to send or to fetch an object; *headers* have to be sent as they are."""

    url: str
    expires_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectHead:
    """What is known of an object that is there. *sha256* is in hexadecimal."""

    size_bytes: int
    sha256: str
