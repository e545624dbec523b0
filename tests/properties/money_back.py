"""The model of money that goes back: refunds, disputes and the console, of top-ups and months.

Its oracle are the rows: after every move the whole ledger is replayed, and what the channel has
really moved is compared with what is said to have gone back.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.fixtures import ledger, units
from tests.fixtures.money import ALICE, BOB, OPERATOR, event, request
from tests.properties.order_money import PICKS
from tests.properties.profile import stories
from tests.properties.scene import Scene
from tests.properties.weather import CALM, SPELLS, Spell
from wharfage import schema
from wharfage.domain.account import Principal
from wharfage.domain.dispute import Dispute, Disputed, DisputeState
from wharfage.domain.errors import AccountFrozen, InsufficientFunds, NotRefundable
from wharfage.domain.order import Order, OrderKind
from wharfage.domain.refund import Refund, RefundOrigin, RefundState, RefundStatus, RefundView
from wharfage.domain.spec import Submission
from wharfage.operations import disputes, jobs, life, orders, payments, refunds, sweep
from wharfage.operations import ledger as moves
from wharfage.operations.ledger import Adjustment
from wharfage.operations.life import Freeze
from wharfage.operations.orders import OpenOrder
from wharfage.operations.refunds import AskRefund, RejectRefund

PROFILE = stories(examples=220, steps=50)
MONTH = OpenOrder(kind=OrderKind.MEMBERSHIP, plan="basic")
PARTS = st.sampled_from([None, 1, 100, 3000, 4950, 9900, 9901])
ANSWERS = st.lists(
    st.sampled_from([RefundStatus.UNKNOWN, RefundStatus.PENDING, RefundStatus.FAILED]), max_size=2
)
DAY = 24 * 3600


class MoneyBack(RuleBasedStateMachine):
    """Two accounts whose orders are all paid, and everybody who wants money back of them."""

    def __init__(self) -> None:
        super().__init__()
        self.people = [ALICE, BOB]
        self.scene = Scene(self.people)
        units.define(self.scene.ports, name="thirty", units=30, price_fen=2000)
        self.orders: list[str] = []
        self.jobs: list[tuple[Principal, Any]] = []
        self.seen: dict[tuple[str, str], str] = {}  #: The state of each refund and dispute.
        self.count = 0

    # What is bought, and spent.

    @rule(who=PICKS, month=st.booleans(), spell=SPELLS)
    def buy(self, who: int, month: bool, spell: Spell) -> None:
        body = MONTH if month else OpenOrder(amount_fen=9900)
        person = self.people[who % 2]
        done = self.scene.weather.during(
            CALM, lambda: orders.open(self.scene.ports, person, body, key=None)
        )
        if done.value is None:
            return  # Too many in one window.
        number = done.value.value.id
        paid = request(event(self.order(number)))
        for weather in (spell, CALM):
            self.scene.weather.during(
                weather, lambda: payments.receive(self.scene.ports, "alipay", paid)
            )
        self.orders.append(number)

    @rule(who=PICKS, spell=SPELLS)
    def work(self, who: int, spell: Spell) -> None:
        person, asked = self.people[who % 2], Submission(template="thirty", input={"factor": 2})
        done = self.scene.weather.during(
            spell, lambda: jobs.submit(self.scene.ports, person, asked, key=None)
        )
        if done.value is not None:
            self.jobs.append((person, done.value.value))

    @precondition(lambda self: self.jobs)
    @rule(cancels=st.booleans(), spell=SPELLS)
    def end_work(self, cancels: bool, spell: Spell) -> None:
        person, job = self.jobs.pop()
        ports = self.scene.ports
        self.scene.weather.during(spell, lambda: jobs.cancel(ports, person, job.id))
        if not cancels:
            self.scene.weather.during(CALM, lambda: sweep.sweep(ports))

    @rule(who=PICKS, fen=st.sampled_from([-3000, -9000, 500, 20000]), spell=SPELLS)
    def adjust(self, who: int, fen: int, spell: Spell) -> None:
        self.count += 1
        body = Adjustment(
            account=self.people[who % 2].account,
            amount_fen=fen,
            reason="-",
            reference=f"r{self.count}",
        )
        self.scene.weather.during(spell, lambda: moves.adjust(self.scene.ports, OPERATOR, body))

    # What is wanted back.

    @precondition(lambda self: self.orders)
    @rule(which=PICKS, part=PARTS, key=st.sampled_from([None, None, "k"]), spell=SPELLS)
    def ask(self, which: int, part: int | None, key: str | None, spell: Spell) -> None:
        order = self.order(self.orders[-1 - which % len(self.orders)])
        person = next(each for each in self.people if each.account == order.account)
        ports, body = self.scene.ports, AskRefund(amount_fen=part)
        there = orders.find(ports, person, order.id).refundable_fen
        balance = self.row(schema.BALANCE.key(account=person.account))
        wanted, before = part or there, len(self.refunds(order.id))
        self.count += 1
        full = None if key is None else f"{key}{self.count}"
        done = self.scene.weather.during(
            spell, lambda: refunds.ask(ports, person, order.id, body, key=full)
        )
        made = len(self.refunds(order.id)) - before
        assert made == (done.value is not None) or done.unknown
        if not 0 < wanted <= there:
            assert made == 0
            assert done.unknown or isinstance(done.refusal, NotRefundable)
        elif balance.frozen_at is not None:
            assert made == 0
            assert done.unknown or isinstance(done.refusal, AccountFrozen)
        elif order.kind is OrderKind.TOPUP and balance.available < wanted:
            assert made == 0
            assert done.unknown or isinstance(done.refusal, InsufficientFunds)
        else:
            assert done.unknown or made == 1
        if key is not None and made:
            again = self.scene.weather.during(
                CALM, lambda: refunds.ask(ports, person, order.id, body, key=full)
            )
            assert again.result.replayed
            assert len(self.refunds(order.id)) == before + 1

    @precondition(lambda self: self.waiting())
    @rule(which=PICKS, approves=st.booleans(), spell=SPELLS)
    def decide(self, which: int, approves: bool, spell: Spell) -> None:
        waiting, ports = self.waiting(), self.scene.ports
        refund = waiting[which % len(waiting)]
        body = RejectRefund(reason="no")
        self.scene.weather.during(
            spell,
            lambda: (
                refunds.approve(ports, OPERATOR, refund.order, refund.id)
                if approves
                else refunds.reject(ports, OPERATOR, refund.order, refund.id, body)
            ),
        )

    @precondition(lambda self: self.waiting())
    @rule(which=PICKS, answers=ANSWERS, carries_out=st.booleans())
    def the_channel_says(self, which: int, answers: list[RefundStatus], carries_out: bool) -> None:
        """Script what is answered about a refund; an unknown answer may hide that it was done."""
        waiting = self.waiting()
        refund = waiting[which % len(waiting)]
        approved = refund.state is RefundState.APPROVED
        if carries_out and approved and answers[:1] == [RefundStatus.UNKNOWN]:
            self.scene.channel.done[refund.id] = refund.amount_fen
            answers = [RefundStatus.UNKNOWN]
        views = [RefundView(status=each, reason="no") for each in answers]
        self.scene.channel.refunds[refund.id] = views

    @precondition(lambda self: self.orders)
    @rule(which=PICKS, part=st.sampled_from([1, 3000, 9900]), spell=SPELLS)
    def console(self, which: int, part: int, spell: Spell) -> None:
        """Give money back in the channel's console, as far as the channel still has it."""
        order = self.order(self.orders[-1 - which % len(self.orders)])
        promised = [each.amount_fen for each in self.refunds(order.id) if each.live]
        if sum(promised) + order.disputed_fen + part > order.amount_fen:
            return
        self.count += 1
        number = f"console{self.count}"
        self.scene.channel.done[number] = part
        told = request(event(order, refunded=True, refund_no=number))
        for weather in (spell, CALM):
            self.scene.weather.during(
                weather, lambda: payments.receive(self.scene.ports, "alipay", told)
            )

    @precondition(lambda self: self.orders)
    @rule(
        which=PICKS, reference=st.sampled_from(["a", "b"]), part=st.sampled_from([3000, None]),
        state=st.sampled_from([*DisputeState]), again=st.booleans(), spell=SPELLS,
    )  # fmt: skip
    def dispute(
        self, which: int, reference: str, part: int | None, state: DisputeState, again: bool,
        spell: Spell,
    ) -> None:  # fmt: skip
        order = self.orders[-1 - which % len(self.orders)]
        news = Disputed(reference=reference, state=state, amount_fen=part, reason="-")
        for weather in (spell, CALM) if again else (spell,):
            self.scene.weather.during(
                weather, lambda: disputes.tell(self.scene.ports, OPERATOR, order, news)
            )

    @rule(who=PICKS, on=st.booleans(), spell=SPELLS)
    def freeze(self, who: int, on: bool, spell: Spell) -> None:
        account, body = self.people[who % 2].account, Freeze(reason="-")
        act = life.freeze if on else life.unfreeze
        self.scene.weather.during(spell, lambda: act(self.scene.ports, OPERATOR, account, body))
        balance = self.row(schema.BALANCE.key(account=account))
        assert balance.disputes == 0 or balance.frozen_at is not None

    @rule(seconds=st.sampled_from([0, 11, 700, 3700, 12 * DAY, 31 * DAY]), spell=SPELLS)
    def sweep(self, seconds: int, spell: Spell) -> None:
        self.scene.clock.pass_(seconds=seconds)
        self.scene.weather.during(spell, lambda: sweep.sweep(self.scene.ports))

    # What must hold.

    @invariant()
    def the_books_hold(self) -> None:
        self.scene.check()
        for person in self.people:
            balance = self.row(schema.BALANCE.key(account=person.account))
            kept = balance.disputes > 0 or balance.frozen_by is not None
            assert (balance.frozen_at is not None) is kept

    @invariant()
    def what_went_back_is_what_the_channel_moved(self) -> None:
        done = self.scene.channel.done
        for number in self.orders:
            for refund in self.refunds(number):
                self._forward(number, refund.id, refund.state, ended=refund.state.terminal)
                if refund.state is RefundState.SUCCEEDED:
                    assert done[refund.id] == refund.amount_fen
                elif refund.state.terminal and refund.origin is not RefundOrigin.CONSOLE:
                    assert refund.id not in done
            for each in ledger.rows(self.scene.store, schema.DISPUTE, number):
                assert isinstance(each, Dispute)
                self._forward(number, each.id, each.state, ended=each.state.terminal)

    def _forward(self, order: str, name: str, state: str, *, ended: bool) -> None:
        """Fail if something changes that had ended."""
        was = self.seen.get((order, name), state)
        assert was == state, f"{name} of {order} was {was} and is {state}"
        if ended:
            self.seen[order, name] = state

    def order(self, number: str) -> Order:
        found = self.row(schema.ORDER.key(id=number))
        assert isinstance(found, Order)
        return found

    def row(self, key: Any) -> Any:
        return self.scene.store.get(key)

    def refunds(self, number: str) -> list[Refund]:
        return list(ledger.rows(self.scene.store, schema.REFUND, number))

    def waiting(self) -> list[Refund]:
        """Read the refunds of which the channel has not been asked yet."""
        states = {RefundState.REQUESTED, RefundState.APPROVED}
        found = [each for number in self.orders for each in self.refunds(number)]
        return [each for each in found if each.state in states and not each.calls]
