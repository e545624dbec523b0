"""What happened in a world, and what must never happen: the trace, and the violation."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from wharfage.domain.errors import Refused
from wharfage.transaction import Item

LAST = 60  #: Events that a report shows.


class Violation(BaseException):
    """An invariant does not hold. Nothing that handles exceptions may swallow it."""

    def __init__(self, invariant: str, subject: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant = invariant
        self.subject = subject
        self.text = text


class Trace:
    """Lines of what happened, as tuples: they are written out only when somebody reads them."""

    def __init__(self) -> None:
        self._lines: list[tuple[float, tuple[object, ...]]] = []

    def note(self, now: float, *facts: object) -> None:
        self._lines.append((now, facts))

    def __iter__(self) -> Iterator[str]:
        for now, facts in self._lines:
            yield f"{now:10.3f}  " + " ".join(map(str, facts))

    def about(self, subject: str) -> list[str]:
        """Return the last lines that name *subject*, or that are about everything."""
        found = [line for line in self if not subject or subject in line or "fault" in line]
        return found[-LAST:]

    def digest(self) -> str:
        """Return what two runs of one seed must have in common."""
        digest = blake2b(digest_size=16)
        for line in self:
            digest.update(line.encode())
        return digest.hexdigest()


TRACED = frozenset({"work", "hosts", "money"})
_SHOWN = (
    "record", "id", "job", "attempt", "state", "status", "host", "boot", "claim_id", "seq",
    "stop_reason", "reason_code", "amount_fen", "available", "held", "due_at", "lease_until",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A stored item, of which is said what one has to know."""

    item: Item | None

    def __str__(self) -> str:
        item = self.item
        if item is None:
            return "nothing"
        return " ".join(f"{name}={item[name]}" for name in _SHOWN if name in item)


class Errors(logging.Handler):
    """Turns what the code itself calls an error of its own into a violation."""

    def __init__(self, trace: Trace, now: Callable[[], float]) -> None:
        super().__init__(logging.ERROR)
        self._trace = trace
        self._now = now

    def emit(self, record: logging.LogRecord) -> None:
        self._trace.note(self._now(), "log", record.name, record.getMessage())
        if record.exc_info and not isinstance(record.exc_info[1], Refused):
            text = logging.Formatter().format(record)
            raise Violation("crash", "", text)
