"""One suite for every store: pages, batches, indexes, timelines."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.fixtures.machine import dynamodb_endpoint, ministack_dynamodb_endpoint
from tests.fixtures.stores import (
    NOW,
    balance_key,
    changed,
    entry_of,
    eventually,
    fresh,
    new_order,
    open_account,
    order_key,
    put_holds,
    put_item,
    rows,
    store,
)
from wharfage import items, schema
from wharfage.domain.balance import Balance
from wharfage.domain.errors import Invalid
from wharfage.domain.order import Order
from wharfage.transaction import Delete, Key, Put, absent

__all__ = ["dynamodb_endpoint", "ministack_dynamodb_endpoint", "rows", "store"]


class TestPages:
    def test_a_page_is_in_the_order_of_utf8_bytes(self, rows):
        partition = fresh()
        sorts = ["A", "Z", "a", "a#", "a#b", "b", "é", "船", "\uffff", "\U00010000"]
        for sort in reversed(sorts):
            key = Key("work", partition, sort)
            rows.write([put_item(key)])

        found = rows.query("work", partition, prefix="", after=None, newest_first=False, limit=100)

        assert [item["sort"] for item in found] == sorts

    @pytest.mark.parametrize("newest_first", [False, True])
    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
    def test_pages_join_to_the_whole(self, store, limit, newest_first):
        account, ids = put_holds(store, 5)

        pages = list(_pages(store, account, limit=limit, newest_first=newest_first))

        assert [hold for page in pages for hold in page] == (ids[::-1] if newest_first else ids)
        assert [len(page) for page in pages] == [
            min(limit, 5 - start) for start in range(0, 5, limit)
        ]

    def test_a_page_holds_one_kind_only(self, store):
        account, ids = put_holds(store, 2)
        store.commit(Put(Balance(account=account)), Put(entry_of(account, "r1")))

        page = store.query(schema.HOLD, account, limit=10)

        assert [hold.id for hold in page.items] == ids

    def test_a_prefix_narrows_a_page(self, store):
        account, _ = put_holds(store, 3)

        page = store.query(schema.HOLD, account, prefix="hold#hld_1", limit=10)

        assert [hold.id for hold in page.items] == ["hld_1"]

    @pytest.mark.parametrize(
        ("after", "newest_first", "count"),
        [
            ("a", False, 3),
            ("a", True, 0),
            ("z", False, 0),
            ("z", True, 3),
            ("hold#hld_0a", False, 2),
            ("hold#hld_0a", True, 1),
            ("hold#", False, 3),
            ("hold#", True, 0),
        ],
    )
    def test_an_edited_cursor_is_a_place_like_any_other(self, store, after, newest_first, count):
        account, _ = put_holds(store, 3)

        page = store.query(schema.HOLD, account, after=after, newest_first=newest_first, limit=10)

        assert len(page.items) == count

    @pytest.mark.parametrize("after", ["", "x" * 1025, "\ud800"])
    def test_a_cursor_that_can_be_no_key_is_refused(self, store, after):
        with pytest.raises(Invalid):
            store.query(schema.HOLD, fresh(), after=after, limit=10)
        with pytest.raises(Invalid):
            store.timeline(schema.ENTRY, fresh(), after=after, limit=10)

    def test_a_page_may_be_larger_than_one_answer_of_dynamodb(self, store, rows):
        partition = fresh()
        for number in range(12):
            key = Key("work", partition, f"{number:02}")
            rows.write([put_item(key, a=b"x" * 150_000)])

        found = rows.query("work", partition, prefix="", after=None, newest_first=True, limit=11)

        assert [item["sort"] for item in found] == [f"{number:02}" for number in range(11, 0, -1)]

    def test_a_batch_is_in_the_order_asked_with_none_for_what_is_not_there(self, store):
        account = open_account(store, available=1)
        balance, missing = schema.BALANCE.key(account=account), balance_key()

        found = store.get_many([missing, balance, missing, balance])

        assert found == [None, Balance(account=account, available=1)] * 2
        assert store.get_many([]) == []

    def test_a_batch_of_a_hundred_keys_is_read_and_of_one_more_is_our_own_mistake(self, store):
        assert store.get_many([balance_key() for _ in range(100)]) == [None] * 100
        with pytest.raises(AssertionError, match="batch"):
            store.get_many([balance_key() for _ in range(101)])

    def test_a_large_batch_is_read_whatever_one_answer_holds(self, store, rows):
        keys = [Key("work", fresh(), "a") for _ in range(50)]
        for key in keys:
            rows.write([put_item(key, a=b"x" * 380_000)])  # 19 MB; an answer holds 16.

        assert [item["partition"] for item in rows.read(keys)] == [key.partition for key in keys]


class TestIndexes:
    def test_an_item_is_in_a_sparse_index_while_it_has_its_attribute(self, store):
        order = new_order(due_at=NOW)
        part = _due_part(order)

        store.commit(Put(order, when=[absent()]))
        eventually(lambda: _due(store, order, part) == [order_key(order)])

        later = changed(order, due_at=NOW + timedelta(hours=1))
        store.commit(items.change(order, later))
        eventually(lambda: _due(store, order, part) == [])
        eventually(lambda: _due(store, order, part, until=later.due_at) == [order_key(order)])

        done = changed(later, due_at=None)
        store.commit(items.change(later, done))
        eventually(lambda: _due(store, order, part, until=NOW + timedelta(days=9)) == [])

        store.commit(items.change(done, changed(done, due_at=NOW)))
        eventually(lambda: _due(store, order, part) == [order_key(order)])
        store.commit(Delete(order_key(order)))
        eventually(lambda: _due(store, order, part) == [])

    @pytest.mark.parametrize(("milliseconds", "due"), [(-1, False), (0, True), (1, True)])
    def test_what_is_due_at_this_very_moment_is_due(self, store, milliseconds, due):
        order = new_order(due_at=NOW)
        store.commit(Put(order, when=[absent()]))
        part = _due_part(order)
        eventually(lambda: _due(store, order, part) == [order_key(order)])

        found = _due(store, order, part, until=NOW + timedelta(milliseconds=milliseconds))

        assert (found == [order_key(order)]) == due

    def test_the_oldest_are_nominated_first_and_no_more_than_asked(self, rows):
        part = fresh("due")
        keys = [Key("money", fresh(), "order") for _ in range(4)]
        for key, at in zip(keys, ["3", "1", "2", "4"], strict=True):
            rows.write([put_item(key, due=part, due_at=at)])

        def nominated(**asked: Any) -> Any:
            return rows.nominate("money", schema.DUE, part, **asked)

        eventually(lambda: len(nominated(until=None, limit=9)) == 4)
        assert nominated(until=None, limit=9) == [keys[1], keys[2], keys[0], keys[3]]
        assert nominated(until="3", limit=9) == [keys[1], keys[2], keys[0]]
        assert nominated(until="3", limit=2) == [keys[1], keys[2]]
        assert nominated(until="0", limit=2) == []

    @pytest.mark.parametrize("limit", [1, 2, 3, 4])
    def test_a_timeline_is_paged_newest_first(self, store, limit):
        account = fresh()
        entries = [
            entry_of(account, f"r{number}", at=NOW + timedelta(seconds=number))
            for number in range(3)
        ]
        store.commit(*(Put(entry, when=[absent()]) for entry in entries))
        part = f"{account}#entries"
        eventually(lambda: len(store.timeline(schema.ENTRY, part, limit=9).items) == 3)

        pages, after = [], None
        while True:
            page = store.timeline(schema.ENTRY, part, after=after, limit=limit)
            pages.append(page.items)
            if (after := page.next) is None:
                break

        assert [entry for page in pages for entry in page] == entries[::-1]
        assert [len(page) for page in pages] == [
            min(limit, 3 - start) for start in range(0, 3, limit)
        ]


def _pages(store, account: str, *, limit: int, newest_first: bool):
    after = None
    while True:
        page = store.query(
            schema.HOLD, account, after=after, newest_first=newest_first, limit=limit
        )
        yield [hold.id for hold in page.items]
        if (after := page.next) is None:
            return


def _due_part(order: Order) -> str:
    return str(items.encode(order)[1]["due"])


def _due(store, order: Order, part: str, *, until: datetime = NOW) -> list[Any]:
    """Nominate what is due, of this order only: other tests have orders too."""
    found = store.nominate(schema.ORDER, schema.DUE, part, until=until, limit=1000)
    return [key for key in found if key == order_key(order)]
