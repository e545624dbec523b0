"""Moves: an account's entries of a span of time, newest first, read a part at a time."""

from collections.abc import Iterator

from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.balance import Entry
from wharfage.domain.span import Span
from wharfage.ports import Page, Ports


def page(ports: Ports, account: str, span: Span, *, after: str | None, limit: int) -> Page[Entry]:
    """Read a part of the entries of a span; those of later times are passed by."""
    ends = schema.timestamp(span.ends_at)
    found = ports.store.timeline(
        schema.ENTRY,
        f"{account}#entries",
        after=ends if after is None else min(after, ends),
        limit=limit,
    )
    within = tuple(entry for entry in found.items if entry.posted_at >= span.begins_at)
    return Page(within, found.next if len(within) == len(found.items) else None)


def within(ports: Ports, account: str, span: Span) -> Iterator[Entry]:
    """Read all entries of a span; only a part of them is in memory at a time."""
    after, limit = None, limits.PAGE_MAX  # Most spans hold few, and what lies before is read too.
    while span.begins_at < span.ends_at:
        found = page(ports, account, span, after=after, limit=limit)
        yield from found.items
        after, limit = found.next, limits.MOVES_PAGE
        if after is None:
            return
