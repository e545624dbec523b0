"""The simulated queue does what every queue must; tests/live holds a real one to the same."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.fixtures.queues import CLAIMS, Claims
from tests.simulation.bells import VISIBILITY_SECONDS, SimInbox, SimSqs
from tests.simulation.schedule import Process, Scheduler
from tests.simulation.settings import RATES


class Desk:
    """Lets everybody in."""

    def credentials(self) -> None:
        return None


class Simulated:
    """The simulated queue on trial: each call is a task, and time passes until it has ended."""

    pool, host = "default", "hst"
    visibility_seconds = VISIBILITY_SECONDS

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.process = Process(self.scheduler, "trial")
        self.queue = SimSqs(self.scheduler, Random(1), dict.fromkeys(RATES, 0.0))
        self.queue.open_mailbox(self.host)
        desk: Any = Desk()
        self.inbox = SimInbox(self.queue, self.scheduler, desk, host=self.host, cut=lambda: False)

    def do(self, work: Callable[[], Any]) -> Any:
        task = self.scheduler.current
        if task is not None:
            return work()  # It is done within another task already.
        results: list[Any] = []
        errors: list[Exception] = []

        def carried() -> None:
            try:
                results.append(work())
            except Exception as error:  # noqa: BLE001 - it is raised again, by who asked
                errors.append(error)

        self.process.spawn(carried)
        self.scheduler.run(self.scheduler.now + 60.0, done=lambda: bool(results or errors))
        for error in errors:
            raise error
        return results[0]

    def pass_time(self, seconds: float) -> None:
        self.scheduler.run(self.scheduler.now + seconds)

    def later(self, seconds: float, work: Callable[[], object]) -> None:
        self.scheduler.at(self.scheduler.now + seconds, lambda: self.process.spawn(work))

    def now(self) -> float:
        return self.scheduler.now


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_simulated_queue_keeps_each_claim(claim: str):
    getattr(Claims(Simulated()), claim)()
