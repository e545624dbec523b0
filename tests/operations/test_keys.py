"""Tests of idempotency keys: what is sent again is not done again."""

import pytest

from tests.fixtures.money import ALICE, BOB, START, world
from wharfage import schema
from wharfage.domain.errors import KeyReused
from wharfage.operations import keys
from wharfage.operations.ledger import Adjustment
from wharfage.operations.orders import OpenOrder

BODY = OpenOrder(amount_fen=100)


def ask(who=ALICE, operation="orders.open", key="k1", body=BODY) -> keys.Request:
    return keys.Request(who=who, operation=operation, key=key, body=body)


def commit(store, request: keys.Request, object_id: str) -> None:
    store.commit(*keys.record(request, object_id=object_id, now=START))


def test_the_same_key_and_body_name_the_object_that_was_made():
    store = world().ports.store
    commit(store, ask(), "ord_1")

    with pytest.raises(keys.Replay) as replay:
        commit(store, ask(), "ord_2")

    assert replay.value.object_id == "ord_1"


def test_the_same_key_with_another_body_is_refused():
    store = world().ports.store
    commit(store, ask(), "ord_1")

    with pytest.raises(KeyReused):
        commit(store, ask(body=OpenOrder(amount_fen=101)), "ord_2")


@pytest.mark.parametrize(
    "other", [{"who": BOB}, {"operation": "jobs.submit"}, {"key": "k2"}, {"key": "K1"}]
)
def test_keys_of_others_other_operations_and_other_keys_never_meet(other):
    store = world().ports.store
    commit(store, ask(), "ord_1")

    commit(store, ask(**other), "ord_2")

    found = ask(**other)
    row = store.get(
        schema.KEY.key(account=found.who.account, operation=found.operation, key=found.key)
    )
    assert row is not None
    assert row.object_id == "ord_2"


def test_without_a_key_nothing_is_remembered():
    assert keys.record(ask(key=None), object_id="ord_1", now=START) == ()


def test_a_body_is_told_apart_by_what_it_says():
    one = Adjustment(account="a", amount_fen=1, reason="x", reference="r")
    same = Adjustment(reference="r", reason="x", amount_fen=1, account="a")
    other = Adjustment(account="a", amount_fen=1, reason="y", reference="r")

    assert keys.body_hash(one) == keys.body_hash(same)
    assert keys.body_hash(one) != keys.body_hash(other)


def test_a_key_lives_as_long_as_what_it_made():
    assert schema.KEY.ttl is None
