"""The embedded stores: what they have beside the one suite of every store."""

from contextlib import closing
from datetime import timedelta

import pytest

from tests.fixtures.stores import NOW, balance_key, new_order, order_key, put_item, used
from wharfage import items, schema
from wharfage.adapters.embedded import DictRows, SqliteRows, file_store, memory_store
from wharfage.adapters.rows import PutItem
from wharfage.domain.balance import Balance
from wharfage.transaction import Put, absent


@pytest.fixture(params=["dict", "sqlite"])
def rows(request, tmp_path):
    if request.param == "dict":
        yield DictRows()
    else:
        with closing(SqliteRows(tmp_path / "store.db")) as found:
            yield found


def test_a_memory_store_begins_empty_and_keeps_what_it_is_given():
    store, other = memory_store(), memory_store()
    balance = Balance(account="acc", available=1)

    store.commit(Put(balance, when=[absent()]))

    assert store.get(schema.BALANCE.key(account="acc")) == balance
    assert other.get(schema.BALANCE.key(account="acc")) is None


def test_a_file_store_keeps_what_it_is_given_for_the_next_to_open_it(tmp_path):
    balance = Balance(account="acc", available=1)

    with used(file_store(tmp_path / "store.db")) as store:
        store.commit(Put(balance, when=[absent()]))

    with used(file_store(tmp_path / "store.db")) as store:
        assert store.get(schema.BALANCE.key(account="acc")) == balance


@pytest.mark.parametrize(("seconds", "deleted"), [(-1, 0), (0, 0), (1, 1)])
def test_an_item_expires_after_its_second_and_not_in_it(rows, seconds, deleted):
    key, lasting = balance_key(), balance_key()
    part = key.partition
    rows.write([put_item(key, ttl=int(NOW.timestamp()), due=part, due_at="x"), put_item(lasting)])

    count = rows.expire(NOW + timedelta(seconds=seconds))

    assert count == deleted
    gone, kept = rows.read([key, lasting])
    assert (gone is None) == bool(deleted)
    assert kept is not None
    named = rows.nominate("money", schema.DUE, part, until=None, limit=9)
    assert named == ([] if deleted else [key])


def test_an_item_that_lost_its_ttl_does_not_expire(rows):
    key = balance_key()
    rows.write([put_item(key, ttl=1)])
    rows.write([put_item(key)])

    assert rows.expire(NOW) == 0


def test_an_item_without_a_due_time_is_in_no_index():
    rows = DictRows()
    order = new_order(due_at=None)
    _, item = items.encode(order)

    rows.write([PutItem(key=order_key(order), item=item)])

    assert rows.nominate("money", schema.DUE, item["due"], until=None, limit=9) == []
