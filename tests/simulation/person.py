"""Somebody who calls the API, from a place from which the world can always be reached."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

from tests.simulation.network import Control
from tests.simulation.schedule import Process, Scheduler
from wharfage.domain.errors import Refused, Unavailable
from wharfage_agent.errors import CloudAway

T = TypeVar("T")

TRIES = 5


class Anywhere:
    """A place from which the world can always be reached."""

    name = "anywhere"
    cut = False


class Person:
    """Somebody who calls the API, and tries again with the same key when nothing comes back."""

    def __init__(self, control: Control, chance: Random, name: str) -> None:
        self.control = control
        self.chance = chance
        self.scheduler: Scheduler = control.scheduler
        self.process = Process(self.scheduler, name)

    def ask(self, work: Callable[[], T]) -> T:
        """Ask until there is an answer. Raises: Refused; CloudAway if there never is."""
        for _ in range(TRIES):
            try:
                return self.control.ask(work, place=Anywhere())
            except (CloudAway, Unavailable):
                self.scheduler.sleep(2.0 * self.chance.random())
        raise CloudAway("it is given up")

    def try_to(self, work: Callable[[], T]) -> T | None:
        """Ask, and make do without."""
        try:
            return self.ask(work)
        except (Refused, CloudAway):
            return None
