"""The injector: each fault does what it says, and chance decides by its seed."""

import random
from collections import Counter

import pytest

from tests.fixtures.stores import balance_key, put_item, seen
from wharfage.adapters.embedded import DictRows
from wharfage.adapters.faults import FaultyRows, StoreFault, seeded
from wharfage.adapters.rows import Contended, OutcomeUnknown
from wharfage.transaction import Present


@pytest.mark.parametrize(
    ("fault", "error", "written"),
    [
        (StoreFault.CONFLICT, Contended, False),
        (StoreFault.THROTTLE, Contended, False),
        (StoreFault.LOST_BEFORE, OutcomeUnknown, False),
        (StoreFault.LOST_AFTER, OutcomeUnknown, True),
    ],
)
def test_a_fault_does_what_it_says(fault, error, written):
    rows, key = DictRows(), balance_key()

    with pytest.raises(error):
        FaultyRows(rows, lambda call: fault).write([put_item(key, a=1)])

    assert seen(rows, key) == ({"a": 1} if written else None)


def test_a_refusal_gets_lost_like_any_other_answer():
    rows = FaultyRows(DictRows(), lambda call: StoreFault.LOST_AFTER)

    with pytest.raises(OutcomeUnknown):
        rows.write([put_item(balance_key(), when=[Present()])])


def test_the_source_is_told_which_call_it_decides():
    calls: list[str] = []
    rows = FaultyRows(DictRows(), calls.append)
    key = balance_key()

    rows.write([put_item(key)])
    rows.read([key])

    assert calls == ["write", "read"]


def test_one_seed_gives_one_run_at_the_rates_that_were_asked():
    rates = {StoreFault.CONFLICT: 0.1, StoreFault.LOST_AFTER: 0.3}

    runs = [
        [source("write") for _ in range(4000)]
        for source in (seeded(random.Random(7), rates) for _ in range(2))
    ]

    assert runs[0] == runs[1]
    counts = Counter(runs[0])
    assert counts.keys() == {None, StoreFault.CONFLICT, StoreFault.LOST_AFTER}
    assert counts[StoreFault.CONFLICT] == pytest.approx(400, rel=0.2)
    assert counts[StoreFault.LOST_AFTER] == pytest.approx(1200, rel=0.1)


def test_no_rates_are_no_faults():
    source = seeded(random.Random(7), {})

    assert [source("write") for _ in range(100)] == [None] * 100
