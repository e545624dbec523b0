"""What the log pump knows of one attempt's output."""

from dataclasses import dataclass, field
from typing import Self

from wharfage.domain.log import Stream
from wharfage_agent.attempts import Work
from wharfage_agent.outbox import Demultiplexer, Outbox
from wharfage_agent.ports import LogSource


@dataclass(kw_only=True, slots=True)
class Feed:
    """The output of one attempt: where it comes from, and what has not been shipped."""

    work: Work
    container: str | None
    outboxes: dict[Stream, Outbox]
    source: LogSource | None = None
    listening: bool = False  #: The source is a listener, not the journal.
    paused_at: float | None = None
    demultiplexer: Demultiplexer = field(default_factory=Demultiplexer)
    finish_by: float | None = None  #: The container has ended; its last bytes come until then.
    silent_since: float | None = None  #: The source ended before its container was known to have.
    reopen: bool = False  #: What the source gave may not be all.
    doubted: bool = False  #: The engine went away while the container may have run.
    back_at: float | None = None  #: Since when the engine says that what is doubted still runs.
    ended: bool = False

    @classmethod
    def of(cls, work: Work, container: str | None) -> Self:
        """Begin one; *container* is None for what cannot be read any more."""
        outboxes = {stream: Outbox(work=work, stream=stream) for stream in Stream}
        return cls(work=work, container=container, outboxes=outboxes)

    @property
    def size(self) -> int:
        """Return how many bytes wait to be shipped."""
        return sum(len(outbox.data) for outbox in self.outboxes.values())

    @property
    def whole(self) -> bool:
        """Tell whether nothing has to be read any more."""
        return all(outbox.complete or outbox.closed for outbox in self.outboxes.values())

    def complete(self) -> None:
        """Take it that all has been read."""
        for outbox in self.outboxes.values():
            outbox.complete = True

    def mark_gap(self) -> None:
        """Say that some of it is lost."""
        for outbox in self.outboxes.values():
            outbox.gap = True

    def settle(self, *, lost: bool) -> None:
        """Doubt it no longer: it is whole, or may have *lost* some."""
        self.doubted, self.back_at = False, None
        if lost:
            self.mark_gap()
