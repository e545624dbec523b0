"""The checker of all money sees what it is there to see: each invariant, broken by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures import ledger
from tests.fixtures.harbour import Harbour
from wharfage import items, schema
from wharfage.adapters.embedded import memory_store
from wharfage.domain.balance import Entry, EntryCode, HoldState
from wharfage.transaction import Action, Delete, Put, Update, present


@pytest.fixture(scope="module")
def told() -> tuple[Harbour, dict[str, Any]]:
    """Tell a short story: one job has ended, one waits."""
    harbour = Harbour(memory_store())
    customer, agent = harbour.customer(), harbour.operator().host()
    order = customer.top_up(1000)
    ended = customer.submit()
    agent.run(agent.take(), seconds=5)
    waiting = customer.submit()
    names = {"account": customer.account, "order": order, "ended": ended, "waiting": waiting}
    return harbour, names


def balance(names: dict[str, Any], **add: int) -> Update:
    return Update(schema.BALANCE.key(account=names["account"]), add=add, when=[present()])


def open_hold(names: dict[str, Any], store: Any) -> Any:
    holds = ledger.rows(store, schema.HOLD, names["account"])
    return next(hold for hold in holds if hold.state is HoldState.OPEN)


def lost_release(names: dict[str, Any], store: Any) -> list[Action]:
    return [balance(names, held=-60)]


def money_from_nowhere(names: dict[str, Any], store: Any) -> list[Action]:
    return [balance(names, available=1)]


def below_nothing(names: dict[str, Any], store: Any) -> list[Action]:
    return [balance(names, available=-1000, held=1000)]


def credit_without_payment(names: dict[str, Any], store: Any) -> list[Action]:
    entry = Entry(
        account=names["account"], code=EntryCode.TOPUP, reference="ord_x", amount_fen=5,
        debit="clearing:alipay", credit=names["account"], posted_at=Harbour(store).clock.now(),
    )  # fmt: skip
    return [Put(entry), balance(names, available=5)]


def settled_too_early(names: dict[str, Any], store: Any) -> list[Action]:
    key = schema.HOLD.key(account=names["account"], id=open_hold(names, store).id)
    settled = Update(key, set={"state": HoldState.SETTLED.value}, when=[present()])
    return [settled, balance(names, held=-60, available=60)]


def hold_without_job(names: dict[str, Any], store: Any) -> list[Action]:
    return [Delete(schema.JOB.key(account=names["account"], id=names["waiting"]["id"]))]


def use_without_run(names: dict[str, Any], store: Any) -> list[Action]:
    key = schema.ATTEMPT.key(job=names["ended"]["id"], attempt=1)
    return [Update(key, remove=["started_at"], when=[present()])]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lost_release, "M4"),
        (money_from_nowhere, "M8"),
        (below_nothing, "M2"),
        (credit_without_payment, "M1"),
        (settled_too_early, "M3"),
        (hold_without_job, "a hold without a job"),
        (use_without_run, "M9"),
    ],
)
def test_a_broken_invariant_is_named(
    told: tuple[Harbour, dict[str, Any]],
    broken: Callable[[dict[str, Any], Any], list[Action]],
    said: str,
) -> None:
    harbour, names = told
    store = harbour.ports.store
    actions = broken(names, store)
    before: list[Any] = [store.get(key) for key in map(_key, actions)]

    store.commit(*actions)

    try:
        with pytest.raises(AssertionError, match=said):
            harbour.check()
    finally:
        undo = zip(actions, before, strict=True)
        store.commit(*(Delete(_key(act)) if old is None else Put(old) for act, old in undo))
    harbour.check()


def _key(action: Action) -> Any:
    return items.encode(action.record)[0] if isinstance(action, Put) else action.key
