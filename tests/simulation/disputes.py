"""Those who dispute a payment: a bank says so late, twice, backwards; the operator tells it."""

from collections.abc import Callable
from functools import partial
from random import Random

from tests.fixtures.money import OPERATOR
from tests.simulation.network import Control
from tests.simulation.person import Person
from wharfage.domain.dispute import Disputed, DisputeState
from wharfage.domain.errors import KeyReused, StateConflict
from wharfage.operations import disputes, life
from wharfage.operations.life import Freeze
from wharfage_agent.errors import CloudAway

OPEN, WON, LOST = DisputeState.OPEN, DisputeState.WON, DisputeState.LOST
#: In which order the news of one dispute come.
TALES = (
    (OPEN,), (OPEN, OPEN), (OPEN, WON), (OPEN, LOST), (WON, OPEN), (LOST, OPEN), (WON, WON),
    (OPEN, WON, LOST), (OPEN, LOST, LOST), (OPEN, WON, OPEN, WON),
)  # fmt: skip
TELLING_SECONDS = 5.0


class Disputes(Person):
    """What of one customer's orders is disputed, and what the operator does about it."""

    def __init__(self, control: Control, chance: Random, account: str) -> None:
        super().__init__(control, chance, f"disputes {account}")
        self._account = account

    def begin(self, order: str, amount_fen: int) -> None:
        """Perhaps have a payment disputed, in one or two ways."""
        for number in range(self.chance.choice((0, 0, 0, 0, 0, 0, 1, 1, 2))):
            fen = self.chance.choice((None, amount_fen, amount_fen // 2 or 1))
            at = 90 * self.chance.random()
            for state in self.chance.choice(TALES):
                news = Disputed(reference=f"cb-{number}", state=state, amount_fen=fen, reason="-")
                self._later(at, partial(self._tell, order, news))
                if self.chance.random() < 0.3:
                    self._later(at, partial(self._tell, order, news))
                at += 20 * self.chance.random()
        if self.chance.random() < 0.05:
            self._later(90 * self.chance.random(), self._freeze)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        self.scheduler.at(self.scheduler.now + seconds, self.process.spawn, work)

    def _tell(self, order: str, news: Disputed) -> None:
        """Tell until there is an answer, be it that it is known otherwise, or not paid."""
        ports = self.control.ports
        while True:
            try:
                self.ask(lambda: disputes.tell(ports, OPERATOR, order, news))
            except CloudAway:
                self.scheduler.sleep(TELLING_SECONDS)
                continue
            except (StateConflict, KeyReused):
                pass
            return

    def _freeze(self) -> None:
        """Freeze by hand, and let go again."""
        ports, body = self.control.ports, Freeze(reason="odd")
        self.try_to(lambda: life.freeze(ports, OPERATOR, self._account, body))
        self.scheduler.sleep(20 * self.chance.random())
        self.try_to(lambda: life.unfreeze(ports, OPERATOR, self._account, body))
