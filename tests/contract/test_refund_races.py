"""One suite for every store: what goes back at once is no more than was paid and is unspent."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.fixtures import club, units, work
from tests.fixtures.machine import dynamodb_endpoint, ministack_dynamodb_endpoint
from tests.fixtures.money import OPERATOR, START, ScriptedChannel, event, request
from tests.fixtures.stores import fresh, rows, store
from tests.fixtures.units import numbers
from wharfage import schema
from wharfage.adapters.ids import RandomIds
from wharfage.domain.account import Account, Principal, Role
from wharfage.domain.balance import Balance
from wharfage.domain.dispute import Disputed, DisputeState
from wharfage.domain.errors import (
    AccountFrozen,
    InsufficientFunds,
    NotRefundable,
    StateConflict,
    Unavailable,
)
from wharfage.domain.order import Order
from wharfage.domain.spec import Submission
from wharfage.operations import disputes, jobs, ledger, orders, payments, refunds
from wharfage.operations.orders import OpenOrder
from wharfage.operations.refunds import AskRefund
from wharfage.ports import Ports, Store
from wharfage.transaction import Put

__all__ = ["dynamodb_endpoint", "ministack_dynamodb_endpoint", "rows", "store"]

AT_ONCE = 20
ROUNDS = {"dict": 10, "sqlite": 5}  #: On one machine; and two where each call is a request.
TOPUP, PART = OpenOrder(amount_fen=9900), AskRefund(amount_fen=3000)
THIRTY = Submission(template="thirty", input={"factor": 2})
OPEN, WON, LOST = DisputeState.OPEN, DisputeState.WON, DisputeState.LOST

Work = Callable[[], Any]


@pytest.fixture
def ports(store: Store) -> Ports:
    made = work.world(store=store).ports
    made = replace(made, ids=RandomIds(), channels={"alipay": ScriptedChannel()})
    units.define(made, name="thirty", units=30, price_fen=3000)
    return made


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Iterator[int]:
    kind = request.node.callspec.id
    return iter(range(next((count for name, count in ROUNDS.items() if name in kind), 2)))


def customer(ports: Ports) -> Principal:
    """Make an account without money."""
    who = Principal(account=fresh(), session="ses_r", role=Role.USER)
    account = Account(
        id=who.account, email=f"{who.account}@example.com", password_hash="-", role=Role.USER,
        epoch=1, created_at=START,
    )  # fmt: skip
    ports.store.commit(Put(account), Put(Balance(account=who.account)))
    return who


def paid(ports: Ports, who: Principal, body: OpenOrder = TOPUP) -> Order:
    """Open an order and have it paid."""
    number = orders.open(ports, who, body, key=None).value.id
    payments.receive(ports, "alipay", request(event(row(ports, number))))
    return row(ports, number)


def row(ports: Ports, number: str) -> Order:
    found = ports.store.get(schema.ORDER.key(id=number))
    assert found is not None
    return found


def money(ports: Ports, who: Principal) -> Balance:
    """Read a balance that its moves account for."""
    found = ledger.audit(ports, who.account)
    assert found.exact
    return found.balance


def at_once(*works: Work) -> list[bool]:
    """Do all at once; tell which were done and not refused."""

    def one(work: Work) -> bool:
        while True:
            try:
                return bool(work())
            except (InsufficientFunds, NotRefundable, AccountFrozen, StateConflict):
                return False
            except Unavailable:
                continue  # Too many at once for this store: again, as a client does.

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(one, works))


def asks(ports: Ports, who: Principal, order: Order, body: AskRefund) -> list[Work]:
    return [lambda: refunds.ask(ports, who, order.id, body, key=None)] * AT_ONCE


def tells(ports: Ports, order: Order, state: DisputeState) -> Work:
    news = Disputed(reference="cb-1", state=state, reason="not me")
    return lambda: disputes.tell(ports, OPERATOR, order.id, news)


def test_of_twenty_refunds_of_thirty_yuan_three_fit_into_ninety_nine(
    ports: Ports, rounds: Iterator[int]
) -> None:
    for _ in rounds:
        who = customer(ports)
        order = paid(ports, who)

        done = at_once(*asks(ports, who, order, PART))

        assert sum(done) == 3
        assert (money(ports, who).available, row(ports, order.id).refundable_fen) == (900, 900)


def test_a_month_goes_back_once(ports: Ports, rounds: Iterator[int]) -> None:
    for _ in rounds:
        who = customer(ports)
        order = paid(ports, who, club.MONTH)

        done = at_once(*asks(ports, who, order, AskRefund()))

        assert sum(done) == 1
        assert numbers(month(ports, order)) == (0, 0, 0, 0)
        assert (money(ports, who).available, row(ports, order.id).refundable_fen) == (0, 0)


def test_of_a_month_no_more_units_go_back_than_there_are(
    ports: Ports, rounds: Iterator[int]
) -> None:
    for _ in rounds:
        who = customer(ports)
        order = paid(ports, who, club.MONTH)

        done = at_once(*asks(ports, who, order, PART))

        assert sum(done) == 3  # Each takes 31 of the 100.
        assert numbers(month(ports, order)) == (7, 7, 0, 0)
        assert row(ports, order.id).refundable_fen == 900
        money(ports, who)


def test_what_is_refunded_is_not_spent_on_work(ports: Ports, rounds: Iterator[int]) -> None:
    for _ in rounds:
        who = customer(ports)
        order = paid(ports, who)
        submit = [lambda who=who: jobs.submit(ports, who, THIRTY, key=None)] * AT_ONCE

        done = at_once(*asks(ports, who, order, PART), *submit)

        balance = money(ports, who)
        assert sum(done) == 3
        assert (balance.available, balance.held) == (900, 3000 * sum(done[AT_ONCE:]))


def test_units_that_go_back_are_not_held_for_work(ports: Ports, rounds: Iterator[int]) -> None:
    for _ in rounds:
        who = customer(ports)
        order = paid(ports, who, club.MONTH)
        submit = [lambda who=who: jobs.submit(ports, who, THIRTY, key=None)] * AT_ONCE

        done = at_once(*asks(ports, who, order, PART), *submit)

        went, held = 31 * sum(done[:AT_ONCE]), 30 * sum(done[AT_ONCE:])
        assert went + held <= 100 < went + held + 31
        assert numbers(month(ports, order)) == (100 - went, 100 - went - held, held, 0)
        money(ports, who)


@pytest.mark.parametrize("body", [TOPUP, club.MONTH], ids=["topup", "month"])
def test_what_is_disputed_is_not_refunded_as_well(
    ports: Ports, rounds: Iterator[int], body: OpenOrder
) -> None:
    for _ in rounds:
        who = customer(ports)
        order = paid(ports, who, body)

        done = at_once(*asks(ports, who, order, PART)[:6], *[tells(ports, order, OPEN)] * 2)

        went, after, balance = 3000 * sum(done[:6]), row(ports, order.id), money(ports, who)
        assert done[6:] == [True, True]
        assert (after.refundable_fen, after.disputed_fen) == (0, 9900 - went)
        assert (balance.disputes, balance.frozen_at is not None) == (1, True)
        # What had gone back before it was disputed is owed: of a month, its units had gone, too.
        assert balance.available == 0
        assert (balance.debt > 0) is (went > 0)


def test_a_dispute_that_is_won_and_lost_at_once_ends_once(
    ports: Ports, rounds: Iterator[int]
) -> None:
    for _ in rounds:
        who = customer(ports)
        order = paid(ports, who)
        tells(ports, order, OPEN)()

        done = at_once(*[tells(ports, order, WON), tells(ports, order, LOST)] * 4)

        won, lost = set(done[::2]), set(done[1::2])
        assert won != lost
        balance = money(ports, who)
        assert balance.available == (9900 if won == {True} else 0)
        assert (balance.disputes, balance.frozen_at is None) == (0, won == {True})


def month(ports: Ports, order: Order) -> Any:
    starts_at = row(ports, order.id).month
    return ports.store.get(schema.PERIOD.key(account=order.account, starts_at=starts_at))
