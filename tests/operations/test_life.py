"""Tests of an account's life: warned once, suspended over a debt, resumed by money, frozen."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fixtures import money
from tests.fixtures.money import ALICE, OPERATOR
from tests.fixtures.work import HOLD_FEN, World, world
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState
from wharfage.domain.balance import Balance
from wharfage.domain.errors import AccountFrozen, AccountSuspended, NotFound
from wharfage.domain.usage import Standing, Usage
from wharfage.operations import ledger, life, quota, usage
from wharfage.operations.ledger import Adjustment
from wharfage.operations.life import Freeze
from wharfage.ports import Ports
from wharfage.transaction import Update, present

GRACE = {"hours": limits.OVERDUE_GRACE_HOURS}


def owe(ports: Ports, fen: int) -> None:
    """Make a debt, as a chargeback does."""
    key = schema.BALANCE.key(account=ALICE.account)
    now = ports.clock.now()
    ports.store.commit(
        Update(key, add={"debt": fen}, when=[present()]), usage.watch(ALICE.account, now)
    )


def news(ports: Ports) -> list[str]:
    events = ports.store.query(schema.EVENT, ALICE.account, prefix="evt_", limit=100).items
    return [event.kind for event in events if not event.kind.startswith("balance.adj")]


def suspended(*, money_fen: int = 1000, debt: int = 300) -> World:
    at = world(money_fen=money_fen)
    owe(at.ports, debt)
    at.sweep()
    at.sweep(**GRACE)
    assert at.balance().suspended_at is not None
    return at


def pay(at: World, fen: int, reference: str = "r1") -> None:
    body = Adjustment(account=ALICE.account, amount_fen=fen, reason="cash", reference=reference)
    ledger.adjust(at.ports, OPERATOR, body)


@pytest.mark.parametrize(
    ("hours", "told"),
    [(24, []), (23, ["balance.low"]), (2, ["balance.low"]), (1, ["balance.critical"])],
)
def test_an_owner_is_told_once_that_money_is_low(hours: int, told: list[str]) -> None:
    at = world(money_fen=hours * 3600)
    host = at.host()
    grant = host.take(at.submit())
    host.report(grant, AttemptState.RUNNING)

    for _ in range(3):
        at.sweep(seconds=1)

    assert news(at.ports) == told


def test_who_was_told_of_low_money_is_told_again_only_after_it_was_better() -> None:
    at = world(money_fen=23 * 3600)
    host = at.host()
    for _ in range(2):
        host.run(host.take(at.submit()))
        grant = host.take(at.submit())
        at.sweep()
        host.run(grant)
        at.sweep()
    once = news(at.ports)

    pay(at, 10 * 3600)
    host.take(at.submit())
    at.sweep()
    key = schema.BALANCE.key(account=ALICE.account)
    at.ports.store.commit(Update(key, add={"available": -20 * 3600}, when=[present()]))
    host.take(at.submit())
    at.sweep()

    assert once == ["balance.low"]
    assert news(at.ports) == ["balance.low", "balance.low"]


def test_an_account_that_burns_nothing_is_not_looked_at() -> None:
    at = world()
    host = at.host()
    host.run(host.take(at.submit()))

    at.sweep()

    row = at.ports.store.get(schema.USAGE.key(account=ALICE.account))
    assert row is not None
    assert row.due_at is None


def test_a_debt_is_told_at_once_and_suspends_exactly_when_its_grace_is_over() -> None:
    at = world()
    owe(at.ports, 5)
    at.sweep()
    overdue = quota.show(at.ports, ALICE).state

    at.clock.pass_(hours=limits.OVERDUE_GRACE_HOURS)
    at.clock.pass_(seconds=-1)
    at.sweep()
    before = at.balance().suspended_at
    at.sweep(seconds=1)

    assert overdue is Standing.OVERDUE
    assert before is None
    assert quota.show(at.ports, ALICE).state is Standing.SUSPENDED
    assert news(at.ports) == ["balance.overdue", "account.suspended"]


def test_a_suspension_stops_what_runs_and_what_waits_and_refuses_what_is_new() -> None:
    at = world()
    host = at.host()
    running, waiting = at.submit(), at.submit()
    grant = host.take(running)
    host.report(grant, AttemptState.RUNNING)
    owe(at.ports, 300)
    life.look(at.ports, _row(at))

    at.clock.pass_(**GRACE)
    life.look(at.ports, _row(at))

    assert at.show(running).status == "stopping"
    assert (at.show(waiting).status, at.show(waiting).reason_code) == (
        "cancelled", "account_stopped",
    )  # fmt: skip
    with pytest.raises(AccountSuspended) as refusal:
        at.submit()
    assert refusal.value.facts == {"debt_fen": 300}


def test_a_process_that_dies_after_the_suspension_leaves_the_work_to_the_next_sweep() -> None:
    at = suspended()
    key = schema.BALANCE.key(account=ALICE.account)
    at.ports.store.commit(Update(key, remove=["suspended_at"], when=[present()]))
    job = at.submit()
    now = schema.timestamp(at.clock.now())
    at.ports.store.commit(
        Update(key, set={"suspended_at": now}, when=[present()]),
        usage.watch(ALICE.account, at.clock.now()),
    )

    at.sweep()

    assert at.show(job).status == "cancelled"


@pytest.mark.parametrize(
    ("paid", "left"),
    [(299, (1000, 1)), (300, (1000, 0)), (301, (1001, 0))],
)
def test_money_pays_the_debt_first_and_what_clears_it_ends_the_suspension(
    paid: int, left: tuple[int, int]
) -> None:
    at = suspended(debt=300)

    pay(at, paid)

    balance = at.balance()
    assert (balance.available, balance.debt) == left
    assert (balance.suspended_at is None) is (left[1] == 0)
    assert ("account.resumed" in news(at.ports)) is (left[1] == 0)
    if left[1] == 0:
        at.submit()


def test_a_payment_pays_the_debt_and_ends_the_suspension_with_its_own_transaction() -> None:
    at = money.world()
    key = schema.BALANCE.key(account=ALICE.account)
    marked = {"debt": 400, "suspended_at": schema.timestamp(at.clock.now())}
    at.ports.store.commit(Update(key, set=marked, when=[present()]))
    order = at.order(1000)

    for _ in range(2):
        at.notify(order)

    assert at.balance() == Balance(account=ALICE.account, available=600)
    assert [entry.amount_fen for entry in at.entries()] == [1000]


def test_credits_at_once_pay_a_debt_once_and_lose_nothing() -> None:
    at = suspended(money_fen=0, debt=500)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: pay(at, 100, f"r{number}"), range(8)))

    assert at.balance() == Balance(account=ALICE.account, available=300)


def test_another_debt_has_a_grace_of_its_own() -> None:
    at = world(money_fen=0)
    owe(at.ports, 5)
    at.sweep()
    at.sweep(hours=limits.OVERDUE_GRACE_HOURS - 1)
    pay(at, 5)
    owe(at.ports, 7)
    at.sweep()

    at.sweep(hours=2)

    assert at.balance().suspended_at is None


def test_frozen_money_starts_nothing_until_it_is_not_frozen_any_more() -> None:
    at = world()

    for _ in range(2):
        frozen = life.freeze(at.ports, OPERATOR, ALICE.account, Freeze(reason="a complaint"))
    with pytest.raises(AccountFrozen):
        at.submit()
    for _ in range(2):
        free = life.unfreeze(at.ports, OPERATOR, ALICE.account, Freeze(reason="settled"))
    at.submit()

    assert (frozen.state, free.state) == (Standing.FROZEN, Standing.ACTIVE)
    assert news(at.ports) == ["account.frozen", "account.unfrozen"]
    assert at.money() == (1000 - HOLD_FEN, HOLD_FEN)


def test_money_that_comes_to_a_frozen_account_leaves_it_frozen() -> None:
    at = suspended()
    life.freeze(at.ports, OPERATOR, ALICE.account, Freeze(reason="a complaint"))

    pay(at, 300)

    assert quota.show(at.ports, ALICE).state is Standing.FROZEN
    assert at.balance().suspended_at is None


def test_nobodys_money_cannot_be_frozen() -> None:
    at = world()

    with pytest.raises(NotFound):
        life.freeze(at.ports, OPERATOR, "usr_nobody", Freeze(reason="a complaint"))


def _row(at: World) -> Usage:
    row = at.ports.store.get(schema.USAGE.key(account=ALICE.account))
    assert row is not None
    return row
