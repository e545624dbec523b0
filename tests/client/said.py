"""What passes between the client and the played API, and what the API is told to do."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.client.samples import (
    Json,
)


class Answering(Protocol):
    """What a fault has in its hands instead of an answer."""

    def send(self, status: int, headers: dict[str, str], body: Any) -> None:
        """Answer."""

    def drop(self) -> None:
        """Close the connection without an answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One request, as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    peer: tuple[str, int]


class Refusal(Exception):
    """A problem document, as it goes out."""

    def __init__(self, status: int, code: str, title: str, **facts: Any) -> None:
        super().__init__(code)
        self.status = status
        self.headers = facts.pop("headers", {})
        self.problem = {"title": title, "status": status, "code": code, "detail": "Do so.", **facts}


@dataclass
class Script:
    """How a job goes: what it is after each look, and what it writes."""

    steps: list[Json]
    log: list[tuple[str, bytes]] = field(default_factory=list)
    first: Json = field(default_factory=dict)  #: What it is when it is submitted.
    truncated: bool = False
    gap: bool = False
    hold: bool = False  #: It stays where it is until it is cancelled.
    part_bytes: int = 64 * 1024


@dataclass
class Session:
    """A sign-in: only the newest refresh token is good, and an old one ends it."""

    access: str
    refresh: str
    ended: bool = False
