"""What a view returns when a plain View with status 200 is not the whole answer."""

from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Created(Generic[V]):
    """201: the thing was made and is there; *replayed* when an earlier request made it."""

    view: V
    location: str | None = field(default=None, kw_only=True)
    replayed: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Accepted(Generic[V]):
    """202: it will take a while; look at *location* after *retry_after* seconds."""

    view: V
    location: str = field(kw_only=True)
    retry_after: int = field(default=1, kw_only=True)
    replayed: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class NoContent:
    """204: done, and there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Text:
    """Exactly this text, with *status*; each kind of text has a class of its own."""

    content_type: ClassVar[str] = "text/plain; charset=utf-8"
    content: str
    status: int = field(default=200, kw_only=True)


@dataclass(frozen=True, slots=True)
class Word(Text):
    """A word to a program that reads nothing else: it is what refusals say as well."""

    content_type: ClassVar[str] = "text/plain"


@dataclass(frozen=True, slots=True)
class Csv(Text):
    """A table whose first line names its columns."""

    content_type: ClassVar[str] = "text/csv; charset=utf-8; header=present"


@dataclass(frozen=True, slots=True)
class Json(Text):
    """JSON that is written already."""

    content_type: ClassVar[str] = "application/json"


@dataclass(frozen=True, slots=True)
class JsonWord(Json):
    """An object to a program that reads little else: it is what refusals say as well."""


@dataclass(frozen=True, slots=True)
class Html(Text):
    """A small page for people."""

    content_type: ClassVar[str] = "text/html; charset=utf-8"
