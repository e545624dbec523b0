"""The other channels, simulated: a wallet and cards, whose refunds end later; and all of them.

Cards name a page by a number of their own, and of their notifies only that name is believed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from random import Random

from tests.simulation.alipay import ASK_SECONDS, SimAlipay, Trade, found, posted
from tests.simulation.schedule import Scheduler
from tests.simulation.settings import Settings
from tests.simulation.trace import Trace, Violation
from wharfage.domain.errors import NotifyRefused, Unanswered
from wharfage.domain.order import Order
from wharfage.domain.refund import Refund, RefundStatus, RefundView
from wharfage.domain.trade import (
    UNNAMED,
    Capabilities,
    CloseOutcome,
    NotifyRequest,
    NotifyStep,
    PayAction,
    Payer,
    PayMethod,
    TradeEvent,
    TradeStatus,
    TradeView,
)

#: Takes a notify of a channel to us, and says when it was answered with success.
Post = Callable[[str, NotifyRequest, Callable[[], None]], None]

REFUND_SECONDS = 90.0  #: A refund that was taken on ends within this.
REFUND_FAILS = 0.15
AWAY_SECONDS = 180.0


class SimWallet(SimAlipay):
    """A channel like WeChat Pay: everything is a call, and a refund is only taken on by its own."""

    name = "wechat"
    seller = "1900000001"
    capabilities = Capabilities(
        methods=frozenset(PayMethod), amount_fen_min=1, amount_fen_max=10**10, refunds_async=True
    )

    def __init__(self, scheduler: Scheduler, chance: Random, rates: dict[str, float]) -> None:
        super().__init__(scheduler, chance, rates)
        #: The orders of another channel, and their trades.
        self.elsewhere: dict[str, list[Trade]] = {}

    def create(self, order: Order, method: PayMethod, payer: Payer = UNNAMED) -> PayAction:
        """Make the trade known; the answer may be lost on either side."""
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        unknown = self._chance.random() < self.rates["channel_unknown"]
        if self.away or (unknown and self._chance.random() < 0.5):
            raise Unanswered
        action = self._made(order, method)
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        if unknown:
            raise Unanswered
        return action

    def _made(self, order: Order, method: PayMethod) -> PayAction:
        self.scan(order.id, order.amount_fen)
        return PayAction(method=method, qr_text=f"weixin://wxpay/{order.id}")

    def _refund(self, order: Order, refund: Refund) -> RefundView:
        trade = self._numbered(order.id, refund.trade_no)
        known = found(trade, refund.id)
        if known.status is not RefundStatus.NOT_FOUND:
            return known
        if trade is None or not trade.paid or trade.left_fen < refund.amount_fen:
            return RefundView(status=RefundStatus.FAILED, reason="NOT_ENOUGH")
        trade.pending[refund.id] = refund.amount_fen
        self._later(REFUND_SECONDS * self._chance.random(), self._end, trade, refund.id)
        return RefundView(status=RefundStatus.PENDING, amount_fen=refund.amount_fen)

    def _end(self, trade: Trade, number: str) -> None:
        amount_fen = trade.pending.pop(number)
        if self._chance.random() < REFUND_FAILS:
            trade.failed.add(number)
            self._notify(trade, refund_no=number)
        else:
            assert self._give(trade, number, amount_fen), "it was left for this"

    def _give(self, trade: Trade, number: str, amount_fen: int) -> bool:
        if trade.left_fen < amount_fen:
            return False
        trade.refunds[number] = amount_fen
        self._notify(trade, refund_no=number)
        return True

    def _forge(self, trade: Trade) -> None:
        """Send what must not be believed, some of it about an order of another channel."""
        if not self.elsewhere or self._chance.random() < 0.7:
            super()._forge(trade)
            return
        order = self._chance.choice(list(self.elsewhere))
        amount_fen = self.elsewhere[order][0].amount_fen
        view = replace(trade.view, trade_no="TF9", amount_fen=amount_fen)
        event = replace(self._event(trade), order=order, trade=view)
        self.post(posted(event), lambda: None)

    def view(self, trade: Trade) -> TradeView:
        return replace(trade.view, refunded=bool(trade.refunds))


class SimCards(SimWallet):
    """A channel like Stripe: pages with names of their own, and notifies that are only hints."""

    name = "stripe"
    seller = "acct_1"
    capabilities = replace(SimWallet.capabilities, amount_fen_min=400, references=True)

    def __init__(self, scheduler: Scheduler, chance: Random, rates: dict[str, float]) -> None:
        super().__init__(scheduler, chance, rates)
        #: The name of an order's page, as the order has it.
        self.page: Callable[[str], str | None] = lambda order: None

    def _made(self, order: Order, method: PayMethod) -> PayAction:
        if order.id not in self.trades:
            self.trades[order.id] = [self._trade(order.id, order.amount_fen)]
        return PayAction(method=method, url=f"https://c/{order.id}", reference=f"cs_{order.id}")

    def parse_notify(self, request: NotifyRequest) -> TradeEvent:
        """Believe which trade it is about, and look at that as it is now."""
        event = super().parse_notify(request)
        trade_no, refund_no = event.trade.trade_no, event.trade.refund_no
        self._scheduler.sleep(ASK_SECONDS * self._chance.random())
        if self.away or self._chance.random() < self.rates["channel_unknown"]:
            raise Unanswered
        trade = self._numbered(event.order, str(trade_no))
        if trade is None:
            raise NotifyRefused(step=NotifyStep.FIELDS)
        told = refund_no is not None and trade.status.paid
        view = replace(trade.view, refunded=told, refund_no=refund_no if told else None)
        return replace(event, trade=view)

    def query(self, order: Order) -> TradeView:
        if order.reference is None:
            self.asked[order.id] = self._scheduler.now
            return TradeView(status=TradeStatus.NOT_FOUND)
        return super().query(order)

    def close(self, order: Order) -> CloseOutcome:
        return CloseOutcome.NOT_FOUND if order.reference is None else super().close(order)

    def scan(self, order: str, amount_fen: int) -> None:
        """Look at a page, which was there before."""

    def pay(self, order: str, amount_fen: int) -> bool:
        """Pay on a page, which is known by its name to the order it is for."""
        if order not in self.trades:
            return False
        if self.page(order) != f"cs_{order}":
            raise Violation("M7", order, f"{order} is paid on a page that it does not know")
        return super().pay(order, amount_fen)

    def pay_again(self, order: str, amount_fen: int) -> None:
        """Pay twice on one page: what cannot be."""

    def _forge(self, trade: Trade) -> None:
        """Send what nobody signed, or a hint of what is not there."""
        event = self._event(trade)
        if self._chance.random() < 0.5:
            self.post(NotifyRequest(method="POST", content_type="", body=b"-"), lambda: None)
            return
        gone = replace(event, trade=replace(event.trade, trade_no="TF1"))
        self.post(posted(gone), lambda: None)


class Tills:
    """All channels of a world, Alipay first; and how its customers choose among them."""

    def __init__(
        self,
        settings: Settings,
        scheduler: Scheduler,
        trace: Trace,
        *,
        page: Callable[[str], str | None],
    ) -> None:
        """Open those that the world has. *page*: the name of an order's page, as the order has it.

        Each has chances of its own, so that a world without the others is as it was.
        """
        seed, rates = settings.seed, settings.rates
        tills = [SimAlipay(scheduler, Random(f"alipay {seed}"), rates)]
        if settings.others:
            cards = SimCards(scheduler, Random(f"cards {seed}"), rates)
            cards.page = page
            wallet = SimWallet(scheduler, Random(f"wallet {seed}"), rates)
            wallet.elsewhere = tills[0].trades
            tills += [wallet, cards]
        self._tills = {till.name: till for till in tills}
        self._chance = Random(f"tills {seed}")
        self._away = Random(f"away {seed}")
        self._rates, self._scheduler, self._trace = rates, scheduler, trace

    def __iter__(self) -> Iterator[SimAlipay]:
        return iter(self._tills.values())

    def __getitem__(self, name: str) -> SimAlipay:
        return self._tills[name]

    def wished(self) -> str | None:
        """Say which channel somebody names, if any."""
        if len(self._tills) == 1 or self._chance.random() < 0.3:
            return None
        return self._chance.choice(list(self._tills))

    def book(self) -> Iterator[tuple[str, str, list[Trade]]]:
        """Go through all trades: whose they are, of which order."""
        for till in self:
            for order, trades in till.trades.items():
                yield till.name, order, trades

    @property
    def waiting(self) -> int:
        """How many notifies have not been answered with success."""
        return sum(till.waiting for till in self)

    def paid(self, order: str, trade_no: str, amount_fen: int) -> bool:
        """Tell whether this trade of some channel really paid this amount for this order."""
        return any(till.paid(order, trade_no, amount_fen) for till in self)

    def gone(self, order: str, trade_no: str, number: str) -> int | None:
        """Tell how much a refund really moved, if it was made at all."""
        moved = [till.gone(order, trade_no, number) for till in self]
        return next((each for each in moved if each is not None), None)

    def tell(self, post: Post, *, credited: Mapping[str, str]) -> None:
        """Send notifies by *post*; *credited* has the trades that orders were credited by."""
        for till in self:
            till.post = partial(post, till.name)
            till.credited = lambda order, trade: credited.get(order) == trade

    def begin(self) -> None:
        """Have one after the other go away for a while, if that happens in this world."""
        if rate := self._rates["channel_away"]:
            moment = self._scheduler.now + self._away.expovariate(rate)
            self._scheduler.at(moment, self._go_away)

    def heal(self) -> None:
        """Have all of them answer from now on, and every notify come soon."""
        for till in self:
            till.away, till.healed = False, True

    def _go_away(self) -> None:
        till = self._away.choice(list(self))
        if till.healed:
            return
        till.away = True
        back = self._scheduler.now + AWAY_SECONDS * self._away.random() ** 2
        self._trace.note(self._scheduler.now, "fault", "channel_away", till.name, "until", back)
        self._scheduler.at(back, self._come_back, till)
        self.begin()

    def _come_back(self, till: SimAlipay) -> None:
        till.away = False
