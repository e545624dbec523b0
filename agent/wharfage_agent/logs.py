"""Ships what containers write: one selector over all sources, one line to the control plane.

A listener that stops reading holds its container up, so a source is only read while there is room,
and when there is none for long the listener is closed and the engine's own journal is read later.
"""

import logging
import selectors
import threading
from collections.abc import Callable

from wharfage.domain.limits import LOG_CHUNKS_MAX
from wharfage.messages import LogPiece, LogsReply, LogsRequest
from wharfage_agent.attempts import Container, Key, Work
from wharfage_agent.backoff import Backoff
from wharfage_agent.errors import (
    CloudAway,
    CloudRefused,
    EngineAway,
    EngineRefused,
    Fenced,
    Revoked,
)
from wharfage_agent.feed import Feed
from wharfage_agent.outbox import Demultiplexer
from wharfage_agent.ports import Chance, Clock, Cloud, Engine, LogSource, Selector

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
JOB_BYTES_MAX = 256 * 1024
AGENT_BYTES_MAX = 8 * 1024 * 1024
REQUEST_BYTES_MAX = 600 * 1024  #: Of compressed pieces; base64 makes a third more of it.
PATIENCE_SECONDS = 0.3  #: A byte waits this long for others to be shipped with.
IDLE_SECONDS = 30.0
STALL_SECONDS = 1.0  #: A container is held up no longer than this.
EARLY_SECONDS = 0.5  #: A listener that ended so long before its container may have missed the rest.
SURVIVED_SECONDS = 3.0  #: What runs so long after the engine came back was not ending then.
EOF_SECONDS = 10.0  #: A listener whose container has ended ends within this, or is given up.
CLOUD_FIRST_SECONDS, CLOUD_MOST_SECONDS = 0.5, 30.0


class LogPump:
    """The logs of all attempts. `read_once` and `ship_once` are called by one caller each."""

    def __init__(
        self,
        engine: Engine,
        cloud: Cloud,
        clock: Clock,
        chance: Chance,
        *,
        selector: Selector,
        ended: Callable[[Key], None],
        wake: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._cloud = cloud
        self._clock = clock
        self._ended = ended
        self._wake = wake
        self._lock = threading.RLock()
        self._feeds: dict[Key, Feed] = {}
        self._selector = selector
        self._backoff = Backoff(chance, CLOUD_FIRST_SECONDS, CLOUD_MOST_SECONDS)

    # What the worker asks for.

    def attach(self, work: Work, container: str) -> None:
        """Listen to a container that has not started."""
        source = self._engine.attach(container)
        with self._lock:
            self.drop(work.key)
            feed = self._feeds[work.key] = Feed.of(work, container)
            self._use(feed, source, listening=True)
        self._wake()

    def resume(self, work: Work, container: str) -> None:
        """Read from the first byte; what has arrived is skipped at the first answer.

        An engine that does not remember the start was away since: it may have lost some.
        """
        doubted = not self._engine.remembers(container)
        seen = self._engine.inspect(container) if doubted else None
        source = self._engine.follow(container)
        with self._lock:
            self.drop(work.key)
            feed = self._feeds[work.key] = Feed.of(work, container)
            feed.doubted = doubted
            self._read_again(feed, source, seen)

    def finish(self, work: Work, *, started: bool) -> None:
        """Ship the rest, then the end of both streams."""
        with self._lock:
            feed = self._feeds.get(work.key)
            if feed is None:
                feed = self._feeds[work.key] = Feed.of(work, None)
                if started:  # What it wrote went with its container, shipped or not.
                    feed.mark_gap()
            now = self._clock.monotonic()
            feed.finish_by = now + EOF_SECONDS
            if feed.back_at is not None:  # Just then, as far as anybody can tell.
                feed.settle(lost=True)
            if feed.silent_since is not None and now - feed.silent_since > EARLY_SECONDS:
                feed.reopen = True
            if feed.source is None and not feed.reopen:
                feed.complete()
        self._wake()

    def drop(self, key: Key) -> None:
        """Let go of an attempt's output."""
        with self._lock:
            if feed := self._feeds.pop(key, None):
                self._release(feed)

    # What the runtime tells.

    def doubt(self) -> None:
        """Believe no source any more: the engine went away, and output of what ends meanwhile.

        One that has just come back may not know yet what has ended.
        """
        with self._lock:
            for feed in self._feeds.values():
                if feed.container is not None and not feed.whole:
                    self._release(feed)
                    feed.reopen = True
                    feed.doubted |= feed.finish_by is None
                    feed.back_at = None

    @property
    def unshipped(self) -> bool:
        """Tell whether something has not arrived yet."""
        with self._lock:
            return any(not feed.ended for feed in self._feeds.values())

    # Reading.

    def read_once(self, timeout: float) -> None:
        """Wait for output, at most *timeout* seconds, and take what there is."""
        for key, _ in self._selector.select(timeout):
            with self._lock:
                feed: Feed = key.data
                if feed.source is not None and feed.source.fileno() == key.fd:
                    self._read(feed, feed.source)
        self._tend()

    def _read(self, feed: Feed, source: LogSource) -> None:
        data = source.read(READ_BYTES)
        if data is None:
            return
        now = self._clock.monotonic()
        for stream, run in feed.demultiplexer.feed(data):
            feed.outboxes[stream].take(run, now=now)
        if not data or feed.whole:
            self._release(feed)
            if feed.finish_by is not None:
                feed.complete()
                self._wake()
            elif not feed.whole:
                feed.silent_since = now
        elif not self._room(feed):
            self._pause(feed)

    def _tend(self) -> None:
        """Free containers that are held up, and open again what has to be read again."""
        now = self._clock.monotonic()
        reopen, survived = [], []
        with self._lock:
            away = self._backoff.failures > 0
            for feed in self._feeds.values():
                held_up = feed.paused_at is not None and feed.listening
                if held_up and (away or now - (feed.paused_at or now) >= STALL_SECONDS):
                    self._release(feed)
                    feed.reopen = True
                if feed.source is not None and feed.finish_by is not None and feed.listening:
                    feed.reopen |= now >= feed.finish_by
                rewound = any(outbox.rewound for outbox in feed.outboxes.values())
                if (feed.reopen or rewound) and feed.container is not None and self._room(feed):
                    reopen.append(feed)
                elif feed.back_at is not None and now - feed.back_at >= SURVIVED_SECONDS:
                    survived.append(feed)
        for feed in reopen:
            self._reopen(feed)
        for feed in survived:
            self._look_again(feed)

    def _look_again(self, feed: Feed) -> None:
        """See whether a container has outlived the return of its engine for a while."""
        assert feed.container is not None
        try:
            seen = self._engine.inspect(feed.container)
        except EngineAway:
            return
        with self._lock:
            if feed.back_at is not None:  # It has not been doubted anew.
                feed.settle(lost=seen is None or seen.exited)

    def _reopen(self, feed: Feed) -> None:
        assert feed.container is not None
        try:
            seen = self._engine.inspect(feed.container) if feed.doubted else None
            source = self._engine.follow(feed.container)
        except EngineAway:
            return
        except EngineRefused as refusal:
            log.warning(
                "Output was lost with its container",
                extra={"job_id": feed.work.job, "why": str(refusal)},
            )
            with self._lock:
                feed.reopen = False
                self._release(feed)
                feed.mark_gap()
                feed.complete()
            return
        with self._lock:
            if self._feeds.get(feed.work.key) is not feed:
                source.close()
                return
            self._read_again(feed, source, seen)

    def _read_again(self, feed: Feed, source: LogSource, seen: Container | None) -> None:
        """Read all of it from the engine's journal; *seen* is what is doubted, as it is now."""
        if seen is not None and seen.exited:
            feed.settle(lost=True)
        elif feed.doubted:
            feed.back_at = self._clock.monotonic()
        self._use(feed, source, listening=False)

    def _use(self, feed: Feed, source: LogSource, *, listening: bool) -> None:
        self._release(feed)
        feed.source, feed.listening, feed.reopen = source, listening, False
        feed.silent_since = None
        feed.demultiplexer = Demultiplexer()
        for outbox in feed.outboxes.values():
            outbox.restart()
        self._selector.register(source.fileno(), selectors.EVENT_READ, feed)
        self._read(feed, source)  # What came with the answer's head wakes no selector.

    def _release(self, feed: Feed) -> None:
        if feed.source is None:
            return
        if feed.paused_at is None:
            self._selector.unregister(feed.source.fileno())
        feed.source.close()
        feed.source, feed.paused_at = None, None

    def _pause(self, feed: Feed) -> None:
        assert feed.source is not None
        self._selector.unregister(feed.source.fileno())
        feed.paused_at = self._clock.monotonic()

    def _room(self, feed: Feed) -> bool:
        return feed.size < JOB_BYTES_MAX and self._total() < AGENT_BYTES_MAX

    def _total(self) -> int:
        return sum(feed.size for feed in self._feeds.values())

    # Shipping.

    def ship_once(self) -> float:
        """Ship what is due; return the seconds to wait before the next time.

        Raises: Fenced, Revoked.
        """
        pieces = self._gather()
        if not pieces:
            return PATIENCE_SECONDS if self.unshipped else IDLE_SECONDS
        try:
            return self._ship(pieces)
        except CloudAway:
            return self._backoff.failed()
        except (Fenced, Revoked):
            raise
        except CloudRefused as refusal:
            return self._one_by_one(pieces, refusal)

    def _gather(self) -> list[LogPiece]:
        now = self._clock.monotonic()
        pieces: list[LogPiece] = []
        size = 0
        with self._lock:
            for feed in self._feeds.values():
                for outbox in feed.outboxes.values():
                    if not outbox.due(now=now, patience=PATIENCE_SECONDS):
                        continue
                    for piece in outbox.pieces(LOG_CHUNKS_MAX - len(pieces)):
                        if size + len(piece.data) > REQUEST_BYTES_MAX:
                            return pieces
                        pieces.append(piece)
                        size += len(piece.data)
        return pieces

    def _ship(self, pieces: list[LogPiece]) -> float:
        reply = self._cloud.logs(LogsRequest(pieces=tuple(pieces)))
        if not self._arrived(pieces, reply):
            return self._backoff.failed()  # An answer that moves nothing must not become a storm.
        self._backoff.succeeded()
        return float(reply.pause_seconds)

    def _arrived(self, pieces: list[LogPiece], reply: LogsReply) -> bool:
        now = self._clock.monotonic()
        stands = {(Key(p.job, p.attempt), p.stream): p for p in reply.positions}
        moved = False
        ended = []
        with self._lock:
            for key, stream in dict.fromkeys((Key(p.job, p.attempt), p.stream) for p in pieces):
                feed, stand = self._feeds.get(key), stands.get((key, stream))
                if feed is None or stand is None:
                    continue
                outbox = feed.outboxes[stream]
                moved |= outbox.arrived(stand.next_offset, closed=stand.closed, now=now)
                if feed.paused_at is not None and self._room(feed):
                    self._unpause(feed)
                if not feed.ended and all(o.closed for o in feed.outboxes.values()):
                    feed.ended = True
                    self._release(feed)
                    ended.append(key)
            # The first in line must not keep the others from the next request.
            for key in dict.fromkeys(Key(p.job, p.attempt) for p in pieces):
                if key in self._feeds:
                    self._feeds[key] = self._feeds.pop(key)
        for key in ended:
            self._ended(key)
        return moved

    def _unpause(self, feed: Feed) -> None:
        assert feed.source is not None
        feed.paused_at = None
        self._selector.register(feed.source.fileno(), selectors.EVENT_READ, feed)

    def _one_by_one(self, pieces: list[LogPiece], refusal: CloudRefused) -> float:
        """Find the attempt whose output is refused; the others must not suffer."""
        keys = list({Key(p.job, p.attempt): None for p in pieces})
        if len(keys) > 1:
            for key in keys:
                own = [p for p in pieces if Key(p.job, p.attempt) == key]
                try:
                    self._ship(own)
                except CloudAway:
                    return self._backoff.failed()
                except (Fenced, Revoked):
                    raise
                except CloudRefused as own_refusal:
                    self._give_up(key, own_refusal)
            return 0.0
        self._give_up(keys[0], refusal)
        return 0.0

    def _give_up(self, key: Key, refusal: CloudRefused) -> None:
        log.error("Output is refused for good", extra={"job_id": key.job, "code": refusal.code})
        with self._lock:
            feed = self._feeds.get(key)
            if feed is not None:
                self._release(feed)
                feed.ended = True
                for outbox in feed.outboxes.values():
                    outbox.arrived(outbox.offset, closed=True, now=self._clock.monotonic())
        self._ended(key)
