"""Ids: sortable by time, unguessable, and fit for every place they go."""

import re

from wharfage.adapters.ids import RandomIds


def test_an_id_fits_the_api_and_alipay():
    made = RandomIds().new("ord")

    assert re.fullmatch(r"ord_[0-9a-hjkmnp-tv-z]{26}", made)
    assert re.fullmatch(r"[0-9A-Za-z_]{6,32}", made)


def test_ids_of_later_milliseconds_sort_later(monkeypatch):
    moments = iter([1_000_000_000, 2_000_000_000, 1_767_225_600_000_000_000])
    monkeypatch.setattr("time.time_ns", lambda: next(moments))
    ids = RandomIds()

    made = [ids.new("job") for _ in range(3)]

    assert made == sorted(made)


def test_ids_of_one_process_are_in_order_within_a_millisecond_too(monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    ids = RandomIds()

    made = [ids.new("evt") for _ in range(1000)]

    assert made == sorted(set(made))


def test_no_two_ids_or_secrets_are_the_same():
    ids = RandomIds()

    assert len({ids.new("job") for _ in range(10_000)}) == 10_000
    assert len({ids.secret() for _ in range(1000)}) == 1000


def test_a_secret_has_256_bits_and_is_never_taken_for_an_option():
    ids = RandomIds()

    assert all(re.fullmatch(r"[0-9a-hjkmnp-tv-z]{52}", ids.secret()) for _ in range(1000))
