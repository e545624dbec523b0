"""The simulated engine does what every engine must; tests/live holds a real one to the same."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.fixtures.engines import CLAIMS, Claims
from tests.simulation.carrier import HostClock
from tests.simulation.engine import Box, Program, SimEngine
from tests.simulation.schedule import Scheduler
from wharfage_agent.attempts import Container
from wharfage_agent.ports import LogSource

PROGRAMS = {
    "quick": Program(seconds=0.1, output=((0.0, "stdout", b"hello\n"),)),
    "long": Program(seconds=60.0, heeds_term=False),
    "nothing": Program(starts=False),
}


class Nobody:
    """Looks at nothing."""

    def started(self, engine: SimEngine, box: Box) -> None: ...

    def ended(self, engine: SimEngine, box: Box) -> None: ...


class Simulated:
    """The simulated engine on trial."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.engine: Any = SimEngine(
            self.scheduler,
            Random(1),
            now=HostClock(self.scheduler, offset=0.0, skew=0.0).now,
            program=lambda config: PROGRAMS[config["Program"]],
            watcher=Nobody(),
        )

    def create(self, name: str, program: str) -> Container:
        made: Container = self.engine.create(
            f"wharfage-{name}-1", {"Labels": {"name": name}, "Program": program}
        )
        return made

    def pass_time(self, seconds: float) -> None:
        self.scheduler.run(self.scheduler.now + seconds)

    def read(self, source: LogSource) -> bytes:
        found = b""
        for _ in range(20):
            self.pass_time(0.5)
            data = source.read(1 << 16)
            if data == b"":
                return found
            found += data or b""
        raise AssertionError("the source never ends")

    def told(self, during: Callable[[], None]) -> list[str]:
        stream = self.engine.listen()
        during()
        self.pass_time(3.0)
        return [event.container for event in stream.line]


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_simulated_engine_keeps_each_claim(claim: str):
    getattr(Claims(Simulated()), claim)()
