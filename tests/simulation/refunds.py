"""Those who want money back: customers who ask, the operator who decides, and the console."""

from collections.abc import Callable
from functools import partial
from random import Random

from tests.simulation.network import Control
from tests.simulation.person import Person
from tests.simulation.tills import Tills
from wharfage.domain.account import Principal, Role
from wharfage.domain.errors import StateConflict
from wharfage.domain.refund import RefundState
from wharfage.operations import refunds
from wharfage.operations.refunds import AskRefund, OrderRefundView, RejectRefund
from wharfage_agent.errors import CloudAway

OPERATOR = Principal(account="usr_cashier", session="ses", role=Role.ADMIN)
DECIDING_SECONDS = 5.0


class Refunds(Person):
    """What is wanted back of one customer's orders, and what becomes of the wish."""

    def __init__(self, control: Control, chance: Random, who: Principal, tills: Tills) -> None:
        super().__init__(control, chance, f"refunds {who.account}")
        self._who = who
        self._tills = tills

    def begin(self, order: str, amount_fen: int, *, channel: str) -> bool:
        """Want some of it back, in some of the ways there are; tell whether by the console."""
        till = self._tills[channel]
        draw = self.chance.random
        for number in range(self.chance.choice((0, 0, 1, 1, 2, 3))):
            self._later(60 * draw(), partial(self._ask, order, amount_fen, f"r{number}"))
        if draw() >= 0.1:
            return False
        self._later(60 * draw(), lambda: till.console_refund(order, self._part(amount_fen)))
        return True

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        self.scheduler.at(self.scheduler.now + seconds, self.process.spawn, work)

    def _part(self, amount_fen: int) -> int:
        return self.chance.choice((amount_fen, amount_fen // 2, amount_fen // 3, 7))

    def _ask(self, order: str, amount_fen: int, key: str) -> None:
        body = AskRefund(amount_fen=self.chance.choice((None, self._part(amount_fen))))
        ports = self.control.ports

        def ask() -> OrderRefundView:
            return refunds.ask(ports, self._who, order, body, key=f"{order}-{key}").value

        if self.chance.random() < 0.2:  # The client's own library tries again, too early.
            self.process.spawn(lambda: self.try_to(ask))
        self.try_to(ask)
        self.scheduler.sleep(20 + 30 * self.chance.random())
        for refund in self._waiting(order):
            if self.chance.random() < 0.2:
                self.process.spawn(partial(self._decide, order, refund, approves=False))
            self._decide(order, refund, approves=self.chance.random() < 0.9)

    def _waiting(self, order: str) -> list[str]:
        """Name what waits for a decision, whether or not whoever asked for it had an answer."""
        ports = self.control.ports
        while True:
            try:
                found = self.ask(
                    lambda: refunds.in_state(ports, RefundState.REQUESTED, after=None, limit=100)
                )
            except CloudAway:
                self.scheduler.sleep(DECIDING_SECONDS)
                continue
            return [each.id for each in found.items if each.order == order]

    def _decide(self, order: str, refund: str, *, approves: bool) -> None:
        """Decide until there is an answer, be it that it was decided otherwise."""
        ports, body = self.control.ports, RejectRefund(reason="no")
        while True:
            try:
                if approves:
                    self.ask(lambda: refunds.approve(ports, OPERATOR, order, refund))
                else:
                    self.ask(lambda: refunds.reject(ports, OPERATOR, order, refund, body))
            except CloudAway:
                self.scheduler.sleep(DECIDING_SECONDS)
                continue
            except StateConflict:
                pass
            return
