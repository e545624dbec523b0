"""Money by orders and by the operator: opened, paid in every way, adjusted, barred."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.fixtures.money import OPERATOR, SELLER, request
from tests.properties.books import Books, Slip
from tests.properties.scene import Scene
from tests.properties.weather import CALM, SPELLS, Spell
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.account import Principal
from wharfage.domain.errors import (
    InsufficientFunds,
    KeyReused,
    NotifyRefused,
    OrderNotOpen,
    RateLimited,
)
from wharfage.domain.order import Order, OrderState
from wharfage.domain.trade import CloseOutcome, TradeEvent, TradeStatus, TradeView
from wharfage.operations import ledger, orders, payments
from wharfage.operations.ledger import Adjustment
from wharfage.transaction import Update, present

PICKS = st.integers(0, 7)
AMOUNTS = st.sampled_from([100, 101, 9900])
SAID = st.sampled_from(
    [TradeStatus.SUCCESS, TradeStatus.SUCCESS, TradeStatus.FINISHED, TradeStatus.CLOSED,
     TradeStatus.WAITING, TradeStatus.UNKNOWN]
)  # fmt: skip


class OrderMoney:
    """The moves of orders, payments and adjustments."""

    scene: Scene
    books: Books
    people: list[Principal]

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[tuple[str, str], tuple[int, str]] = {}
        self.told: list[TradeEvent] = []

    @rule(who=PICKS, fen=AMOUNTS, key=st.sampled_from([None, "a", "b"]), spell=SPELLS)
    def open_order(self, who: int, fen: int, key: str | None, spell: Spell) -> None:
        person = self.people[who % 2]
        made = self.keys.get((person.account, key)) if key else None
        body = orders.OpenOrder(amount_fen=fen)
        done = self.scene.weather.during(
            spell, lambda: orders.open(self.scene.ports, person, body, key=key)
        )
        new = [each for each in self._orders(person) if each.id not in self.books.slips]
        if isinstance(done.refusal, RateLimited):
            mine = [slip for slip in self.books.slips.values() if slip.account == person.account]
            assert len(mine) >= limits.OPEN_ORDERS_MAX
        if made is not None:
            assert new == [], "one key, two orders"
            if made[0] != fen:
                assert done.unknown or isinstance(done.refusal, KeyReused)
            elif not done.unknown:
                assert (done.result.value.id, done.result.replayed) == (made[1], True)
        elif done.value is not None:
            assert [each.id for each in new] == [done.result.value.id]
        assert len(new) <= (done.value is not None or done.unknown)
        for order in new:
            self.books.slips[order.id] = Slip(account=person.account, fen=fen)
            if key:
                self.keys[person.account, key] = (fen, order.id)

    @precondition(lambda self: self.books.slips)
    @rule(
        which=PICKS, status=SAID, other=st.booleans(), off=st.sampled_from([0, 0, 0, 1, -1]),
        refunded=st.sampled_from([False, False, False, True]),
    )  # fmt: skip
    def the_channel_says(
        self, which: int, status: TradeStatus, other: bool, off: int, refunded: bool
    ) -> None:
        """Set what a query of this order will answer from now on."""
        number = self._number(which)
        self.scene.channel.closes.pop(number, None)
        self.scene.channel.trades[number] = TradeView(
            status=status,
            trade_no=self._trade(number, other=other),
            amount_fen=self.books.slips[number].fen + off,
            refunded=refunded and status is TradeStatus.CLOSED,
        )

    @precondition(lambda self: self.books.slips)
    @rule(
        which=PICKS, status=SAID, trade=st.sampled_from(["own", "own", "own", "other", "stolen"]),
        off=st.sampled_from([0, 0, 0, 1]), wrong=st.sampled_from([None, None, "seller", "text"]),
        spell=SPELLS,
    )  # fmt: skip
    def notify(
        self, which: int, status: TradeStatus, trade: str, off: int, wrong: str | None, spell: Spell
    ) -> None:
        number = self._number(which)
        owner = self._number(which + 1) if trade == "stolen" else number
        view = TradeView(
            status=status,
            trade_no=self._trade(owner, other=trade == "other"),
            amount_fen=self.books.slips[number].fen + off,
        )
        event = TradeEvent(
            channel="alipay",
            order=number,
            seller="somebody" if wrong == "seller" else SELLER,
            trade=view,
            ambiguous=wrong == "text",
        )
        self.told.append(event)
        self._deliver(event, spell)

    @rule(
        who=PICKS, fen=AMOUNTS, expired=st.booleans(), spell=SPELLS,
        trades=st.lists(st.sampled_from(["own", "other", "stolen"]), max_size=3),
    )  # fmt: skip
    def buy(self, who: int, fen: int, expired: bool, trades: list[str], spell: Spell) -> None:
        """Tell a whole order in one go: opened, perhaps closed, then paid as often as it comes."""
        self.open_order(who, fen, None, CALM)
        if expired:
            self.cancel_order(-1, pays=False, told=False, spell=CALM)
        for trade in trades:
            self.notify(-1, TradeStatus.SUCCESS, trade, 0, None, spell)

    @precondition(lambda self: self.told)
    @rule(which=st.integers(0, 30), spell=SPELLS)
    def notify_again(self, which: int, spell: Spell) -> None:
        self._deliver(self.told[which % len(self.told)], spell)

    @precondition(lambda self: self.books.slips)
    @rule(which=PICKS, spell=SPELLS)
    def come_back_from_paying(self, which: int, spell: Spell) -> None:
        """Have the sweep ask at once: the return proves nothing, so nothing is to change now."""
        number = self._number(which)
        self.scene.weather.during(spell, lambda: payments.hasten(self.scene.ports, number))

    @precondition(lambda self: self.books.slips)
    @rule(which=PICKS, pays=st.booleans(), told=st.booleans(), spell=SPELLS)
    def cancel_order(self, which: int, pays: bool, told: bool, spell: Spell) -> None:
        """Cancel; the buyer may pay, and we be told, while our own question is on its way."""
        number = self._number(which)
        slip, row = self.books.slips[number], self._order(number)
        person = next(who for who in self.people if who.account == slip.account)
        channel = self.scene.channel
        waiting = channel.trades.get(number)
        if pays and waiting and waiting.status is TradeStatus.WAITING:
            channel.on_query = lambda order: self._pay_now(order, told=told)
        done = self.scene.weather.during(
            spell, lambda: orders.cancel(self.scene.ports, person, number)
        )
        channel.on_query = lambda _: None
        if row.state is OrderState.OPEN and self._known(number, row, sure=spell == CALM):
            self._answered(number, closing=True)
        if not done.unknown:
            assert (slip.state == "paid") is isinstance(done.refusal, OrderNotOpen)

    @rule(
        who=PICKS, fen=st.sampled_from([-200, -60, -1, 1, 60, 500]),
        reference=st.sampled_from(["r1", "r2", "r3", "r4"]), spell=SPELLS,
    )  # fmt: skip
    def adjust(self, who: int, fen: int, reference: str, spell: Spell) -> None:
        account = self.people[who % 2].account
        purse, line = self.books.purses[account], f"adjustment#{reference}"
        body = Adjustment(account=account, amount_fen=fen, reason="correction", reference=reference)
        done = self.scene.weather.during(
            spell, lambda: ledger.adjust(self.scene.ports, OPERATOR, body)
        )
        if line in purse.entries:
            same = purse.entries[line] == fen
            if not done.unknown:
                assert done.result.replayed if same else isinstance(done.refusal, KeyReused)
        elif purse.available + fen < 0:
            assert done.unknown or isinstance(done.refusal, InsufficientFunds)
        else:
            booked = self._entry(account, reference)
            assert done.unknown or (booked and not done.result.replayed)
            if booked and fen > 0:
                purse.receive(line, fen)
            elif booked:
                purse.move(line, fen)

    @rule(who=PICKS, mark=st.sampled_from(["frozen_at", "suspended_at"]), on=st.booleans())
    def bar(self, who: int, mark: str, on: bool) -> None:
        """Set or clear a mark as its operation will, by hand: no operation does it yet."""
        account = self.people[who % 2].account
        self.scene.store.commit(
            Update(
                schema.BALANCE.key(account=account),
                set={mark: schema.timestamp(self.scene.now)} if on else {},
                remove=() if on else (mark,),
                when=[present()],
            )
        )
        purse = self.books.purses[account]
        purse.barred = purse.barred | {mark} if on else purse.barred - {mark}

    def due_orders(self) -> dict[str, Order]:
        """Read the orders that a sweep will ask about."""
        rows = {number: self._order(number) for number in self.books.slips}
        now = self.scene.now
        return {n: row for n, row in rows.items() if row.due_at is not None and row.due_at <= now}

    def book_answers(self, due: dict[str, Order], *, sure: bool) -> None:
        """Book what a sweep has learnt of the orders that were due."""
        for number, row in due.items():
            if self._known(number, row, sure=sure):
                self._answered(number, closing=row.overdue(self.scene.now))

    def _deliver(self, event: TradeEvent, spell: Spell) -> None:
        row = self._order(event.order)
        done = self.scene.weather.during(
            spell, lambda: payments.receive(self.scene.ports, "alipay", request(event))
        )
        view, slip = event.trade, self.books.slips[event.order]
        owner = self.books.owner_of(str(view.trade_no))
        believed = event.seller == SELLER and view.amount_fen == slip.fen
        believed = believed and owner in {None, event.order}
        if event.ambiguous or not believed:
            assert done.unknown or event.ambiguous or isinstance(done.refusal, NotifyRefused)
            return
        assert done.refusal is None or done.unknown
        if self._known(event.order, row, sure=done.refusal is None):
            self._heard(event.order, view)

    def _answered(self, number: str, *, closing: bool) -> None:
        """Note the answer of a query, and of the close that may have followed it."""
        view = self.scene.channel.trades.get(number, TradeView(status=TradeStatus.NOT_FOUND))
        owner = self.books.owner_of(view.trade_no) if view.trade_no else None
        if owner not in {None, number}:
            return
        if closing and view.status in {TradeStatus.NOT_FOUND, TradeStatus.WAITING}:
            self.books.slips[number].unpaid()
        self._heard(number, view)

    def _heard(self, number: str, view: TradeView) -> None:
        """Note what is believed of a trade."""
        slip = self.books.slips[number]
        if view.status.paid and view.amount_fen == slip.fen:
            assert view.trade_no is not None
            self.books.pay(number, view.trade_no)
        elif view.status is TradeStatus.CLOSED:
            slip.unpaid()

    def _known(self, number: str, before: Order, *, sure: bool) -> bool:
        """Tell whether news got through: when that is *sure*, or else if its order has moved."""
        after = self._order(number)
        return sure or (after.state, after.duplicates) != (before.state, before.duplicates)

    def _pay_now(self, order: Order, *, told: bool) -> None:
        self.scene.channel.on_query = lambda _: None
        paid = TradeView(
            status=TradeStatus.SUCCESS,
            trade_no=self._trade(order.id),
            amount_fen=order.amount_fen,
        )
        self.scene.channel.trades[order.id] = paid
        self.scene.channel.closes[order.id] = CloseOutcome.NOT_WAITING
        if told:
            event = TradeEvent(channel="alipay", order=order.id, seller=SELLER, trade=paid)
            self.told.append(event)
            self._deliver(event, CALM)

    def _number(self, which: int) -> str:
        return list(self.books.slips)[which % len(self.books.slips)]

    def _trade(self, number: str, *, other: bool = False) -> str:
        return f"T{number[-6:]}{'x' if other else ''}"

    def _order(self, number: str) -> Order:
        row = self.scene.store.get(schema.ORDER.key(id=number))
        assert row is not None
        return row

    def _orders(self, who: Principal) -> tuple[Order, ...]:
        return self.scene.store.timeline(
            schema.ORDER, f"{who.account}#orders", limit=limits.PAGE_MAX
        ).items

    def _entry(self, account: str, reference: str) -> bool:
        key = schema.ENTRY.key(account=account, code="adjustment", reference=reference)
        return self.scene.store.get(key) is not None
