"""The meaning of texts, equality and indexes, apart from any store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage.adapters.interpreter import beyond, outcome, places, same
from wharfage.adapters.rows import Change, Rejected
from wharfage.schema import DUE, TIMELINE
from wharfage.transaction import Absent, Check, Delete, Key, Present, Update

KEY = Key[object]("money", "p", "s")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.text(
    "a\ud7ff\ue000\U0010ffff", max_size=4
)


@given(TEXTS, TEXTS)
def test_what_begins_with_a_prefix_lies_between_it_and_what_is_beyond(prefix, text):
    end = beyond(prefix)

    assert text.startswith(prefix) == (prefix <= text and (end is None or text < end))


@given(TEXTS)
def test_what_is_beyond_can_be_written_in_utf8(prefix):
    end = beyond(prefix)

    assert end is None or end.encode().decode() == end


@given(TEXTS, TEXTS)
def test_texts_are_in_the_order_of_their_utf8_bytes(one, other):
    assert (one < other) == (one.encode() < other.encode())


@pytest.mark.parametrize(("one", "other"), [(1, True), ([0], [False]), ({"a": 1}, {"a": True})])
def test_a_number_is_never_the_same_as_a_boolean(one, other):
    assert one == other
    assert not same(one, other)


def test_an_item_is_in_an_index_if_it_has_both_its_attributes():
    item = {"due": "order#1", "due_at": "t", "timeline": "acc#orders"}

    assert list(places("money", item)) == [(DUE, "order#1", "t")]
    assert list(places("money", item | {"timeline_at": "u"})) == [
        (DUE, "order#1", "t"),
        (TIMELINE, "acc#orders", "u"),
    ]
    assert list(places("accounts", {"timeline": "x", "timeline_at": "u"})) == []
    assert list(places("money", None)) == []


def test_every_failed_condition_is_named_with_its_item():
    changes: list[Change] = [Check(KEY, when=[Absent()]), Delete(KEY), Check(KEY, when=[Present()])]

    with pytest.raises(Rejected) as caught:
        outcome(changes, [{"a": 1}, None, None])

    assert caught.value.failures == {0: {"a": 1}, 2: None}


def test_an_update_leaves_the_old_item_as_it_was():
    old = {"partition": "p", "sort": "s", "a": 1}

    [new] = outcome([Update(KEY, add={"a": 1})], [old])

    assert new == {"partition": "p", "sort": "s", "a": 2}
    assert old["a"] == 1
