"""How long to wait before trying again: doubling, with full jitter, up to a ceiling."""

from dataclasses import dataclass

from wharfage_agent.ports import Chance


@dataclass(slots=True)
class Backoff:
    """Waits of one thing that fails; a success resets it. Seconds."""

    chance: Chance
    first: float
    most: float
    failures: int = 0

    def failed(self) -> float:
        """Count a failure and return how long to wait."""
        ceiling = min(self.most, self.first * 2.0**self.failures)
        self.failures = min(self.failures + 1, 32)
        # Half of it is certain: full jitter down to nothing would hammer what is struggling.
        return ceiling * (0.5 + 0.5 * self.chance.uniform())

    def succeeded(self) -> None:
        """Begin again from the shortest wait."""
        self.failures = 0
