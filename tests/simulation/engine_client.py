"""The way from an agent to its simulated engine: slow, silent at times, and done all the same."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

from greenlet import GreenletExit

from tests.simulation.engine import DIGEST, SimEngine, Source
from wharfage.domain.attempt import ReasonCode
from wharfage.domain.image import Reference
from wharfage_agent.attempts import Container, Image
from wharfage_agent.errors import EngineAway, EngineRefused
from wharfage_agent.ports import Event, OpenFile

T = TypeVar("T")


class EngineClient:
    """An engine as one life of an agent reaches it: over a socket, slowly, and not always."""

    def __init__(
        self, engine: SimEngine, chance: Random, rates: dict[str, float], *, settle_seconds: float
    ) -> None:
        self._engine = engine
        self._scheduler = engine.scheduler
        self._chance = chance
        self._rates = rates
        self._late_seconds = settle_seconds * 0.9

    def machine(self) -> Any:
        raise NotImplementedError  # It is looked at before the core is put together.

    def disk_free_mb(self) -> int:
        return self._engine.disk_free

    def image(self, reference: str) -> Image | None:
        return self._ask(lambda: self._engine.image(reference), 0.01)

    def digest_of(self, reference: Reference) -> str:
        self._pulling()
        return self._ask(lambda: DIGEST, 0.3)

    def pull(self, reference: Reference) -> None:
        self._pulling()
        self._ask(lambda: self._engine.pull(reference), 20.0)

    def create(self, name: str, config: dict[str, Any]) -> Container:
        return self._do(lambda: self._engine.create(name, config), 0.03)

    def put_files(self, container: str, size_bytes: int, parts: Iterable[bytes]) -> None:
        whole = list(parts)  # They come from elsewhere, and that may take its time.
        assert sum(map(len, whole)) == size_bytes
        self._do(lambda: self._engine.put_files(container, size_bytes, whole), 0.05)

    @contextmanager
    def open_file(self, container: str, path: str) -> Iterator[OpenFile]:
        file = self._ask(lambda: self._engine.open_file(container, path), 0.02)
        with file as opened:
            yield opened

    def start(self, container: str) -> None:
        if self._chance.random() < self._rates["engine_refuses"]:
            self._ask(lambda: None, 0.1)
            raise EngineRefused(ReasonCode.START_FAILED, "cannot allocate")
        self._do(lambda: self._engine.start(container), 0.3)

    def signal(self, container: str, name: str) -> None:
        self._do(lambda: self._engine.signal(container, name), 0.02)

    def remove(self, container: str, *, force: bool) -> None:
        self._do(lambda: self._engine.remove(container, force=force), 0.03)

    def inspect(self, container: str) -> Container | None:
        return self._ask(lambda: self._engine.inspect(container), 0.01)

    def remembers(self, container: str) -> bool:
        return self._ask(lambda: self._engine.remembers(container), 0.01)

    def containers(self) -> list[Container]:
        return self._ask(self._engine.containers, 0.02)

    def attach(self, container: str) -> Source:
        return self._ask(lambda: self._engine.attach(container), 0.01)

    def follow(self, container: str) -> Source:
        return self._ask(lambda: self._engine.follow(container), 0.01)

    def events(self, *, connected: Callable[[], None]) -> Iterator[Event]:
        stream = self._ask(self._engine.listen, 0.01)
        connected()
        while not stream.broken:
            while stream.line:
                yield stream.line.pop(0)
            stream.news.clear()
            if not stream.broken:
                stream.news.wait()

    def _pulling(self) -> None:
        if self._chance.random() < self._rates["pull_fails"]:
            self._ask(lambda: None, 5.0)
            raise EngineRefused(ReasonCode.IMAGE_PULL_FAILED, "connection reset by peer")

    def _ask(self, call: Callable[[], T], seconds: float) -> T:
        """Make a call that changes nothing."""
        self._reach(seconds)
        return call()

    def _do(self, call: Callable[[], T], seconds: float) -> T:
        """Make a call that changes something: it may be done though nobody hears of it."""
        try:
            self._reach(seconds)
        except GreenletExit:  # The engine goes on after its client has died.
            if self._chance.random() < 0.5:
                self._land(call, self._late_seconds)
            raise
        if self._chance.random() < self._rates["engine_late"]:
            self._silence(call)
        result = call()
        self._scheduler.sleep(seconds * self._chance.random())
        if self._engine.down:
            raise _away()
        return result

    def _reach(self, seconds: float) -> None:
        task = self._scheduler.current
        assert task is not None
        self._scheduler.sleep(seconds * self._chance.random())
        if self._engine.down:
            self._scheduler.sleep(0.2)
            raise _away()
        if self._chance.random() < self._rates["engine_silent"]:
            self._scheduler.sleep(60.0 * self._chance.random())
            raise _away()

    def _silence(self, call: Callable[[], Any]) -> None:
        """Time out; what was asked for happens at some time, until soon after."""
        waits = 60.0 if self._chance.random() < 0.3 else 1.0
        self._land(call, waits + self._late_seconds)
        self._scheduler.sleep(waits)
        raise _away()

    def _land(self, call: Callable[[], Any], within: float) -> None:
        moment = self._scheduler.now + within * self._chance.random()
        self._scheduler.at(moment, self._landed, call)

    def _landed(self, call: Callable[[], Any]) -> None:
        if self._engine.down:
            return
        try:
            call()
        except EngineRefused:
            return


def _away() -> EngineAway:
    return EngineAway("no answer")
