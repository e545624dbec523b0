"""One suite for every store: many at once, and never more than there is."""

from concurrent.futures import ThreadPoolExecutor

from tests.fixtures.machine import dynamodb_endpoint, ministack_dynamodb_endpoint
from tests.fixtures.stores import (
    changed,
    fresh,
    hold_key,
    open_account,
    put_holds,
    rows,
    spend,
    store,
    tried,
)
from wharfage import items, schema
from wharfage.domain.balance import Balance
from wharfage.transaction import Put, Update, absent, at_least, present

__all__ = ["dynamodb_endpoint", "ministack_dynamodb_endpoint", "rows", "store"]


class TestConcurrency:
    def test_a_hundred_threads_get_exactly_ten_of_ten_units(self, store):
        account = open_account(store, available=10)

        with ThreadPoolExecutor(100) as threads:
            done = list(threads.map(lambda _: tried(store, *spend(account, 1)), range(100)))

        assert sum(done) == 10
        assert store.get(schema.BALANCE.key(account=account)) == Balance(account=account)
        assert len(store.query(schema.EVENT, account, limit=100).items) == 10

    def test_forty_puts_of_one_key_make_one(self, store):
        account = fresh()

        def put(number: int) -> bool:
            return tried(store, Put(Balance(account=account, held=number), when=[absent()]))

        with ThreadPoolExecutor(40) as threads:
            done = list(threads.map(put, range(40)))

        assert sum(done) == 1
        assert store.get(schema.BALANCE.key(account=account)).held == done.index(True)

    def test_crossing_transfers_keep_the_sum(self, store):
        accounts = [open_account(store, available=50) for _ in range(3)]

        def move(number: int) -> None:
            source, target = accounts[number % 3], accounts[(number + 1 + number % 2) % 3]
            tried(
                store,
                Update(
                    schema.BALANCE.key(account=source),
                    add={"available": -7},
                    when=[at_least("available", 7)],
                ),
                Update(schema.BALANCE.key(account=target), add={"available": 7}, when=[present()]),
            )

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(move, range(96)))

        balances = store.get_many([schema.BALANCE.key(account=each) for each in accounts])
        assert sum(balance.available for balance in balances) == 150
        assert min(balance.available for balance in balances) >= 0

    def test_versioned_changes_are_not_lost(self, store):
        account, [hold] = put_holds(store, 1)
        key = hold_key(account, hold)

        def capture_one_fen_more(_: int) -> None:
            while True:
                seen = store.get(key)
                more = changed(seen, captured_fen=seen.captured_fen + 1)
                if tried(store, items.change(seen, more)):
                    return

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(capture_one_fen_more, range(24)))

        seen = store.get(key)
        assert (seen.captured_fen, seen.version) == (24, 25)
