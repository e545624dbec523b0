"""One suite for every store: refusals, the proof of a transaction, and its limits."""

import itertools
from typing import Any

import pytest

from tests.fixtures.machine import dynamodb_endpoint, ministack_dynamodb_endpoint
from tests.fixtures.stores import (
    balance_key,
    differs,
    fresh,
    hold_key,
    open_account,
    rows,
    seen,
    spend,
    store,
)
from wharfage import schema
from wharfage.domain.balance import Balance
from wharfage.domain.errors import InsufficientFunds, StateConflict
from wharfage.transaction import Check, Delete, Put, Update, absent, at_least, present

__all__ = ["dynamodb_endpoint", "ministack_dynamodb_endpoint", "rows", "store"]


def _refusal(name: str) -> StateConflict:
    return StateConflict(state=name)


class TestRefusals:
    @pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
    def test_the_first_failed_action_in_the_operations_own_order_wins(self, store, order):
        account = fresh()
        actions = [
            Put(Balance(account=account), when=[present()], otherwise=_refusal("put")),
            Update(hold_key(account, "u"), add={"a": 1}, when=[present()], otherwise=_refusal("u")),
            Delete(hold_key(account, "d"), when=[present()], otherwise=_refusal("delete")),
            Check(hold_key(account, "c"), when=[present()], otherwise=_refusal("check")),
        ]
        ordered = [actions[position] for position in order]

        with pytest.raises(StateConflict) as caught:
            store.commit(*ordered)

        assert caught.value is ordered[0].otherwise

    @pytest.mark.parametrize("kind", ["put", "update", "delete", "check"])
    def test_the_refusal_is_made_from_the_item_as_it_was(self, store, kind):
        balance = Balance(account=fresh(), available=7)
        key = schema.BALANCE.key(account=balance.account)
        store.commit(Put(balance, when=[absent()]))
        fails: dict[str, Any] = {
            "when": [at_least("available", 8)],
            "otherwise": lambda old: InsufficientFunds(
                required_fen=8, available_fen=old["available"]
            ),
        }
        action = {
            "put": Put(balance, **fails),
            "update": Update(key, add={"available": -8}, **fails),
            "delete": Delete(key, **fails),
            "check": Check(key, **fails),
        }[kind]

        with pytest.raises(InsufficientFunds) as caught:
            store.commit(Put(Balance(account=fresh())), action)

        assert caught.value.facts == {"required_fen": 8, "available_fen": 7}
        assert store.get(key) == balance

    @pytest.mark.parametrize("kind", ["put", "update", "delete", "check"])
    def test_the_refusal_is_made_from_none_where_there_was_nothing(self, store, kind):
        account = fresh()
        key = schema.BALANCE.key(account=account)
        fails: dict[str, Any] = {
            "when": [present()],
            "otherwise": lambda old: _refusal(f"old is {old}"),
        }
        action = {
            "put": Put(Balance(account=account), **fails),
            "update": Update(key, add={"available": -8}, **fails),
            "delete": Delete(key, **fails),
            "check": Check(key, **fails),
        }[kind]

        with pytest.raises(StateConflict) as caught:
            store.commit(Put(Balance(account=fresh())), action)

        assert caught.value.state == "old is None"

    def test_without_a_refusal_of_its_own_a_failure_is_a_state_conflict(self, store):
        with pytest.raises(StateConflict):
            store.commit(Delete(schema.BALANCE.key(account=fresh()), when=[present()]))


class TestProof:
    def test_a_repeat_of_what_was_done_is_done_and_changes_nothing(self, store):
        account = open_account(store, available=5)
        actions = spend(account, 5)

        store.commit(*actions)
        store.commit(*actions)  # Its funds are gone, but its event says that it was this one.

        assert store.get(schema.BALANCE.key(account=account)) == Balance(account=account)

    def test_what_nothing_proves_is_refused_when_it_comes_again(self, store):
        account = open_account(store, available=5)
        update, _ = spend(account, 5)

        store.commit(update)
        with pytest.raises(InsufficientFunds):
            store.commit(update)

    def test_a_refused_transaction_leaves_no_proof(self, store):
        account = open_account(store, available=4)

        for _ in range(2):
            with pytest.raises(InsufficientFunds):
                store.commit(*spend(account, 5))

        assert store.query(schema.EVENT, account, limit=1).items == ()


class TestLimits:
    def test_ten_actions_are_a_transaction(self, store):
        balances = [Balance(account=fresh()) for _ in range(10)]

        store.commit(*(Put(balance, when=[absent()]) for balance in balances))

        keys = [schema.BALANCE.key(account=balance.account) for balance in balances]
        assert store.get_many(keys) == balances

    @pytest.mark.parametrize("count", [0, 11])
    def test_no_actions_or_eleven_are_our_own_mistake(self, store, count):
        with pytest.raises(AssertionError, match="1 to 10 actions"):
            store.commit(*(Put(Balance(account=fresh())) for _ in range(count)))

    def test_two_actions_on_one_item_are_our_own_mistake(self, store):
        balance = Balance(account=fresh())

        with pytest.raises(AssertionError, match="two actions"):
            store.commit(
                Put(balance), Check(schema.BALANCE.key(account=balance.account), when=[present()])
            )

    def test_an_item_of_400_kb_fits(self, request, store, rows):
        differs(request, "ministack", "ministack counts more than the item")
        key = balance_key()

        store.commit(Update(key, set={"record": "balance", "a": "x" * _filling(key)}))

        assert len(seen(rows, key)["a"]) == _filling(key)

    def test_a_byte_more_is_our_own_mistake(self, store, rows):
        key = balance_key()
        store.commit(Update(key, set={"record": "balance"}))

        with pytest.raises(AssertionError):
            store.commit(Update(key, set={"a": "x" * (_filling(key) + 1)}, when=[present()]))

        assert seen(rows, key) == {"record": "balance"}


def _filling(key) -> int:
    """How many bytes an attribute `a` may have beside the key and `record`."""
    used = len("partition" + key.partition + "sort" + key.sort + "record" + "balance" + "a")
    return 400 * 1024 - used
