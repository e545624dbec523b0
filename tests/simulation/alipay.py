"""The simulated Alipay: trades, buyers, and notifies that are repeated, late or forged."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from random import Random

import msgspec

from tests.simulation.schedule import Scheduler
from wharfage.domain.bill import Bill
from wharfage.domain.errors import NotifyRefused, Unavailable
from wharfage.domain.order import Order
from wharfage.domain.refund import Refund, RefundStatus, RefundView
from wharfage.domain.trade import (
    UNNAMED,
    Acknowledgement,
    Capabilities,
    CloseOutcome,
    NotifyRequest,
    NotifyStep,
    PayAction,
    Payer,
    PayMethod,
    Reception,
    TradeEvent,
    TradeStatus,
    TradeView,
)

SELLER = "2088000000000001"
ASK_SECONDS = 0.2
LATE_SECONDS = 300.0
#: When a notify that was not answered with success comes again.
REPEATS = (2.0, 5.0, 15.0, 60.0, 240.0, 900.0, 3600.0, 9000.0)


@dataclass(kw_only=True, slots=True)
class Trade:
    """What Alipay knows of one payment."""

    order: str
    trade_no: str
    amount_fen: int
    status: TradeStatus = TradeStatus.WAITING
    paid: bool = False
    refunds: dict[str, int] = field(default_factory=dict)  #: By request number.
    pending: dict[str, int] = field(default_factory=dict)  #: Taken on, and not done.
    failed: set[str] = field(default_factory=set)  #: Taken on, and not done for good.

    @property
    def left_fen(self) -> int:
        """What has not gone back, nor is about to."""
        return self.amount_fen - sum(self.refunds.values()) - sum(self.pending.values())

    @property
    def view(self) -> TradeView:
        return TradeView(
            status=self.status,
            trade_no=self.trade_no,
            amount_fen=self.amount_fen,
            refunded=self.status is TradeStatus.CLOSED and bool(self.refunds),
        )


class SimAlipay:
    """A channel and the world behind it. *post* delivers a notify and tells what was answered."""

    name = "alipay"
    seller = SELLER
    capabilities = Capabilities(
        methods=frozenset(PayMethod),
        amount_fen_min=1,
        amount_fen_max=10**10,
        offline=frozenset({PayMethod.PAGE}),
    )

    def __init__(self, scheduler: Scheduler, chance: Random, rates: dict[str, float]) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self.rates = rates
        self.trades: dict[str, list[Trade]] = {}
        #: Whether an order was credited by a trade: from then on that number is nobody else's.
        self.credited: Callable[[str, str], bool] = lambda order, trade_no: False
        self.post: Callable[[NotifyRequest, Callable[[], None]], None] = lambda *_: None
        self.asked: dict[str, float] = {}  #: When it was last asked about an order or a refund.
        self.away = False  #: It hears nothing, and answers nothing.
        self._number = 0
        self.waiting = 0  #: Notifies that have not been answered with success.
        self.healed = False

    # For operations.

    def create(self, order: Order, method: PayMethod, payer: Payer = UNNAMED) -> PayAction:
        return PayAction(method=method, url=f"https://pay.example/{order.id}")

    def parse_notify(self, request: NotifyRequest) -> TradeEvent:
        if request.body[:1] != b"+":
            raise NotifyRefused(step=NotifyStep.SIGNATURE)
        return msgspec.json.decode(request.body[1:], type=TradeEvent)

    def acknowledge(self, reception: Reception) -> Acknowledgement:
        return Acknowledgement(status=200, content_type="text/plain", body=reception.encode())

    def query(self, order: Order) -> TradeView:
        self.asked[order.id] = self._scheduler.now
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        trades = self.trades.get(order.id)
        answer = self.view(trades[0]) if trades else TradeView(status=TradeStatus.NOT_FOUND)
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        if self._chance.random() < self.rates["channel_unknown"] or self.away:
            return TradeView(status=TradeStatus.UNKNOWN)
        return answer

    def close(self, order: Order) -> CloseOutcome:
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        unknown = self._chance.random() < self.rates["channel_unknown"]
        if self.away or (unknown and self._chance.random() < 0.5):
            return CloseOutcome.UNKNOWN
        outcome = self._close(order.id)
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        return CloseOutcome.UNKNOWN if unknown else outcome

    def fetch_bill(self, day: date) -> Bill:
        raise Unavailable

    def _close(self, order: str) -> CloseOutcome:
        trades = self.trades.get(order)
        if not trades:
            return CloseOutcome.NOT_FOUND
        if trades[0].status is not TradeStatus.WAITING:
            return CloseOutcome.NOT_WAITING
        trades[0].status = TradeStatus.CLOSED
        return CloseOutcome.CLOSED

    def refund(self, order: Order, refund: Refund) -> RefundView:
        """Move the money once for each request number; the answer may be lost on either side."""
        self.asked[refund.id] = self._scheduler.now
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        unknown = self._chance.random() < self.rates["channel_unknown"]
        if self.away or (unknown and self._chance.random() < 0.5):
            return RefundView(status=RefundStatus.UNKNOWN)
        answer = self._refund(order, refund)
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        return RefundView(status=RefundStatus.UNKNOWN) if unknown else answer

    def _refund(self, order: Order, refund: Refund) -> RefundView:
        trade = self._numbered(order.id, refund.trade_no)
        if trade is None:
            return RefundView(status=RefundStatus.FAILED, reason="ACQ.TRADE_NOT_EXIST")
        if refund.id in trade.refunds:
            return RefundView(status=RefundStatus.UNKNOWN)
        if not self._give(trade, refund.id, refund.amount_fen):
            return RefundView(status=RefundStatus.FAILED, reason="ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
        return RefundView(status=RefundStatus.SUCCEEDED, amount_fen=refund.amount_fen)

    def query_refund(self, order: Order, refund: Refund) -> RefundView:
        self.asked[refund.id] = self._scheduler.now
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        trade = self._numbered(order.id, refund.trade_no)
        answer = found(trade, refund.id)
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        if self._chance.random() < self.rates["channel_unknown"] or self.away:
            return RefundView(status=RefundStatus.UNKNOWN)
        return answer

    def _give(self, trade: Trade, number: str, amount_fen: int) -> bool:
        """Give money of a trade back and tell; False if so much is not left."""
        if trade.left_fen < amount_fen:
            return False
        trade.refunds[number] = amount_fen
        if sum(trade.refunds.values()) == trade.amount_fen:
            trade.status = TradeStatus.CLOSED
        self._notify(trade, refund_no=number)
        return True

    def console_refund(self, order: str, amount_fen: int) -> None:
        """Give money back in the merchant's console, by a trade that has any."""
        trades = [each for each in self.trades[order] if each.status.paid]
        if trades:
            self._number += 1
            number = f"console-{self.name}-{self._number}"
            self._give(self._chance.choice(trades), number, amount_fen)

    def gone(self, order: str, trade_no: str, number: str) -> int | None:
        """Tell how much a refund really moved, if it was made at all."""
        trade = self._numbered(order, trade_no)
        return None if trade is None else trade.refunds.get(number)

    def _numbered(self, order: str, trade_no: str) -> Trade | None:
        return next(
            (each for each in self.trades.get(order, ()) if each.trade_no == trade_no), None
        )

    def view(self, trade: Trade) -> TradeView:
        """Say how a trade stands."""
        return trade.view

    # For buyers.

    def scan(self, order: str, amount_fen: int) -> None:
        """Look at the page, which makes the trade exist."""
        if order not in self.trades:
            self.trades[order] = [self._trade(order, amount_fen)]

    def pay(self, order: str, amount_fen: int) -> bool:
        """Pay; tell whether Alipay took the money."""
        self.scan(order, amount_fen)
        trade = self.trades[order][0]
        if trade.status is not TradeStatus.WAITING:
            return False
        trade.status, trade.paid = TradeStatus.SUCCESS, True
        self._notify(trade)
        return True

    def paid_before(self, order: str, amount_fen: int) -> NotifyRequest:
        """Give the notify of what somebody paid before the world began."""
        self.scan(order, amount_fen)
        trade = self.trades[order][0]
        trade.status, trade.paid = TradeStatus.SUCCESS, True
        return posted(self._event(trade))

    def pay_again(self, order: str, amount_fen: int) -> None:
        """Pay by another trade: what cannot be, and has been seen."""
        trade = self._trade(order, amount_fen)
        trade.status, trade.paid = TradeStatus.SUCCESS, True
        self.trades.setdefault(order, []).append(trade)
        self._notify(trade)

    def paid(self, order: str, trade_no: str, amount_fen: int) -> bool:
        """Tell whether this trade really paid this amount for this order."""
        return any(
            (each.trade_no, each.amount_fen) == (trade_no, amount_fen) and each.paid
            for each in self.trades.get(order, ())
        )

    def _trade(self, order: str, amount_fen: int) -> Trade:
        self._number += 1
        return Trade(order=order, trade_no=f"T{self._number:08d}", amount_fen=amount_fen)

    # Notifies.

    def _notify(self, trade: Trade, *, refund_no: str | None = None) -> None:
        """Send it until it is answered with success, beside forged and senseless ones."""
        self.waiting += 1
        draw = self._chance.random
        for _ in range(3):
            if draw() < self.rates["notify_tampered"]:
                self._later(30.0 * draw(), self._forge, trade)
        delay = LATE_SECONDS * draw() if draw() < self.rates["notify_late"] else 2.0 * draw()
        self._later(delay, self._send, trade, 0, refund_no)
        for _ in range(int(3 * draw())):
            self._later(60.0 * draw(), self._send, trade, -1, refund_no)

    def _send(self, trade: Trade, times: int, refund_no: str | None) -> None:
        """Send the *times*-th copy; a negative one is never repeated."""
        answered = [False]

        def success() -> None:
            if not answered[0] and times >= 0:
                self.waiting -= 1
            answered[0] = True

        def again() -> None:
            if not answered[0] and times >= 0:
                answered[0] = True  # What is answered from now on answers the next copy.
                self._send(trade, times + 1, refund_no)

        if not self.healed and self._chance.random() < self.rates["notify_lost"]:
            pass
        else:
            event = self._event(trade)
            if refund_no is not None:
                event = replace(
                    event, trade=replace(event.trade, refunded=True, refund_no=refund_no)
                )
            self.post(posted(event), success)
        pause = 5.0 if self.healed else REPEATS[min(max(times, 0), len(REPEATS) - 1)]
        self._later(pause, again)

    def _forge(self, trade: Trade) -> None:
        """Send what must not be believed: the money in it is not there."""
        chance = self._chance
        event = self._event(trade)
        kind = chance.randrange(7)
        view = event.trade
        others = [order for order in self.trades if order != trade.order]
        match kind:
            case 0:
                self.post(NotifyRequest(method="POST", content_type="", body=b"-"), _nothing)
                return
            case 1:
                event = replace(
                    event, seller="2088999999999999", trade=replace(view, trade_no="TF1")
                )
            case 2:
                event = replace(
                    event, trade=replace(view, amount_fen=trade.amount_fen + 1, trade_no="TF2")
                )
            case 3 if others:
                order = chance.choice(others)
                event = replace(event, order=order, ambiguous=True)
                event = self._with_amount_of(order, event, trade_no="TF3")
            case 6 if others and self.credited(trade.order, trade.trade_no):
                order = chance.choice(others)
                event = self._with_amount_of(order, replace(event, order=order))
            case 4:
                event = replace(event, order="ord_unknown")
            case _:
                event = replace(
                    event, trade=replace(view, status=TradeStatus.WAITING, trade_no="TF5")
                )
        self.post(posted(event), _nothing)

    def _with_amount_of(
        self, order: str, event: TradeEvent, *, trade_no: str | None = None
    ) -> TradeEvent:
        amount = self.trades[order][0].amount_fen
        number = trade_no or event.trade.trade_no
        return replace(event, trade=replace(event.trade, amount_fen=amount, trade_no=number))

    def _event(self, trade: Trade) -> TradeEvent:
        return TradeEvent(
            channel=self.name, order=trade.order, seller=self.seller, trade=self.view(trade)
        )

    def _later(self, seconds: float, work: Callable[..., None], *arguments: object) -> None:
        self._scheduler.at(self._scheduler.now + seconds, work, *arguments)


def found(trade: Trade | None, number: str) -> RefundView:
    """Say how a refund stands."""
    if trade is None:
        return RefundView(status=RefundStatus.NOT_FOUND)
    if number in trade.refunds:
        return RefundView(status=RefundStatus.SUCCEEDED, amount_fen=trade.refunds[number])
    if number in trade.pending:
        return RefundView(status=RefundStatus.PENDING, amount_fen=trade.pending[number])
    if number in trade.failed:
        return RefundView(status=RefundStatus.FAILED, reason="CLOSED")
    return RefundView(status=RefundStatus.NOT_FOUND)


def posted(event: TradeEvent) -> NotifyRequest:
    return NotifyRequest(method="POST", content_type="", body=b"+" + msgspec.json.encode(event))


def _nothing() -> None:
    return
