"""The trace that the work at hand belongs to, as W3C Trace Context writes it.

The edge sets it for each request; whoever sends a message takes it along. It follows the
context (thread, task or greenlet), so nothing has to hand it down.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def current() -> str | None:
    """Return the `traceparent` of the work at hand, None outside of any."""
    return _current.get()


def trace_id(traceparent: str) -> str:
    """Return the part of a `traceparent` that all parts of one trace share."""
    return traceparent[3:35]


def valid(traceparent: str) -> bool:
    """Tell whether a text is a `traceparent` of version 00."""
    return _TRACEPARENT.fullmatch(traceparent) is not None


@contextmanager
def following(traceparent: str | None) -> Iterator[None]:
    """Make *traceparent* the current one for a while."""
    token = _current.set(traceparent)
    try:
        yield
    finally:
        _current.reset(token)
