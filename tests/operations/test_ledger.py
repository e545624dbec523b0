"""Tests of the ledger: what is listed, what the operator books, and the proof (M8)."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from tests.fixtures.money import ALICE, BOB, OPERATOR, with_store, world
from wharfage import schema
from wharfage.domain.balance import Balance, Entry, EntryCode, Hold
from wharfage.domain.errors import (
    InsufficientFunds,
    Invalid,
    KeyReused,
    NotFound,
    Unavailable,
)
from wharfage.operations import ledger
from wharfage.operations.ledger import Adjustment
from wharfage.transaction import Put, Update, present


def adjustment(amount_fen=500, reference="cash-1", reason="paid in cash", account=ALICE.account):
    return Adjustment(account=account, amount_fen=amount_fen, reason=reason, reference=reference)


def test_entries_are_listed_newest_first_page_by_page_to_their_owner_only():
    here = world()
    ids = []
    for _ in range(5):
        order = here.order()
        here.notify(order)
        ids.append(order.id)
        here.clock.pass_(seconds=1)

    first = ledger.find_all(here.ports, ALICE, after=None, limit=3)
    second = ledger.find_all(here.ports, ALICE, after=first.next, limit=3)

    assert [entry.reference for entry in (*first.items, *second.items)] == ids[::-1]
    assert second.next is None
    assert ledger.find_all(here.ports, BOB, after=None, limit=3).items == ()


def test_the_csv_has_a_line_for_each_entry():
    here = world()
    order = here.order()
    here.notify(order)

    text = ledger.as_csv(ledger.find_all(here.ports, ALICE, after=None, limit=3).items)

    [row] = csv.DictReader(io.StringIO(text))
    assert row == {
        "code": "topup",
        "reference": order.id,
        "amount_fen": "9900",
        "units": "0",
        "period": "",
        "debit": "clearing:alipay",
        "credit": ALICE.account,
        "posted_at": "2026-03-01T04:00:00.250Z",
        "note": "",
    }


@pytest.mark.parametrize("note", ["=1+1", "+1", "-1", "@x", "\t=1", '=HYPERLINK("x")'])
def test_a_cell_of_the_csv_is_never_a_formula(note):
    here = world()
    ledger.adjust(here.ports, OPERATOR, adjustment(reason=note))

    text = ledger.as_csv(ledger.find_all(here.ports, ALICE, after=None, limit=3).items)

    [row] = csv.DictReader(io.StringIO(text))
    assert row["note"] == "'" + note


def test_a_charge_stays_a_number_in_the_csv():
    here = world()
    ledger.adjust(here.ports, OPERATOR, adjustment(500, "in"))
    ledger.adjust(here.ports, OPERATOR, adjustment(-200, "out"))

    text = ledger.as_csv(ledger.find_all(here.ports, ALICE, after=None, limit=3).items)

    assert {row["amount_fen"] for row in csv.DictReader(io.StringIO(text))} == {"500", "-200"}


def test_an_adjustment_moves_money_with_its_reason_and_who_booked_it():
    here = world()

    made = ledger.adjust(here.ports, OPERATOR, adjustment())

    assert not made.replayed
    assert here.balance().available == 500
    [entry] = here.entries()
    assert (entry.code, entry.note) == (EntryCode.ADJUSTMENT, "paid in cash")
    assert (entry.debit, entry.credit) == ("adjustments", ALICE.account)
    [event] = here.ports.store.query(schema.EVENT, ALICE.account, limit=9).items
    assert (event.kind, event.actor) == ("balance.adjusted", OPERATOR.account)


def test_the_same_adjustment_again_is_the_same_entry():
    here = world()
    first = ledger.adjust(here.ports, OPERATOR, adjustment())
    here.clock.pass_(days=3)

    again = ledger.adjust(here.ports, OPERATOR, adjustment())

    assert again.replayed
    assert again.value == first.value
    assert here.balance().available == 500
    assert len(here.entries()) == 1


def test_parallel_adjustments_with_one_reference_make_one_entry():
    here = world()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ledger.adjust(here.ports, OPERATOR, adjustment()), range(30)))

    assert here.balance().available == 500


@pytest.mark.parametrize("other", [{"amount_fen": 501}, {"reason": "paid by wire"}])
def test_a_reference_for_another_move_is_refused(other):
    here = world()
    ledger.adjust(here.ports, OPERATOR, adjustment())

    with pytest.raises(KeyReused):
        ledger.adjust(here.ports, OPERATOR, adjustment(**other))

    assert here.balance().available == 500


@pytest.mark.parametrize(("taken", "left"), [(499, 1), (500, 0)])
def test_an_adjustment_can_take_what_is_available(taken, left):
    here = world()
    ledger.adjust(here.ports, OPERATOR, adjustment(500, "in"))

    ledger.adjust(here.ports, OPERATOR, adjustment(-taken, "out"))

    assert here.balance().available == left
    assert {entry.debit for entry in here.entries()} == {"adjustments", ALICE.account}


def test_an_adjustment_that_takes_more_is_refused():
    here = world()
    ledger.adjust(here.ports, OPERATOR, adjustment(500, "in"))

    with pytest.raises(InsufficientFunds) as refusal:
        ledger.adjust(here.ports, OPERATOR, adjustment(-501, "out"))

    assert refusal.value.facts == {"required_fen": 501, "available_fen": 500}
    assert here.balance().available == 500


def test_an_adjustment_of_nobody_is_refused():
    with pytest.raises(NotFound):
        ledger.adjust(world().ports, OPERATOR, adjustment(account="usr_nobody"))


def test_an_adjustment_of_nothing_is_refused():
    with pytest.raises(Invalid):
        ledger.adjust(world().ports, OPERATOR, adjustment(0))


@pytest.mark.parametrize("reference", ["", "a b", "a#b", "a\n", "é", "-a", "a" * 65])
def test_a_reference_is_a_plain_word(reference):
    body = msgspec.json.encode(adjustment(reference=reference))

    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=Adjustment)


def test_an_audit_rebuilds_the_balance_from_nothing():
    here = world()
    for _ in range(3):
        here.notify(here.order())
    ledger.adjust(here.ports, OPERATOR, adjustment(-1234))
    hold = Hold(
        id="hld_1", account=ALICE.account, job="job_1", amount_fen=700,
        created_at=here.clock.now(),
    )  # fmt: skip
    key = schema.BALANCE.key(account=ALICE.account)
    here.ports.store.commit(
        Put(hold), Update(key, add={"available": -700, "held": 700}, when=[present()])
    )

    found = ledger.audit(here.ports, ALICE.account)

    assert found.exact
    assert (found.entries_fen, found.holds_fen) == (3 * 9900 - 1234, 700)


def test_an_audit_reads_every_page():
    here = world()
    for number in range(230):
        ledger.adjust(here.ports, OPERATOR, adjustment(1, f"r{number}"))

    found = ledger.audit(here.ports, ALICE.account)

    assert found.exact
    assert found.entries_fen == 230


@pytest.mark.parametrize(
    ("drift", "shows"),
    [
        ({"available": 1}, (1, 0)),
        ({"available": -1}, (-1, 0)),
        ({"held": 5, "available": -5}, (0, 5)),
        ({"debt": 3}, (-3, 0)),
    ],
)
def test_an_audit_finds_money_that_no_entry_accounts_for(drift, shows):
    here = world()
    here.notify(here.order())
    here.ports.store.commit(
        Update(schema.BALANCE.key(account=ALICE.account), add=drift, when=[present()])
    )

    found = ledger.audit(here.ports, ALICE.account)

    assert not found.exact
    assert (found.drift_fen, found.held_drift_fen) == shows


def test_an_audit_finds_an_entry_that_no_money_followed():
    here = world()
    entry = Entry(
        account=ALICE.account, code=EntryCode.USE, reference="job_1.1", amount_fen=-5,
        debit=ALICE.account, credit="revenue", posted_at=here.clock.now(),
    )  # fmt: skip
    here.ports.store.commit(Put(entry))

    assert ledger.audit(here.ports, ALICE.account).drift_fen == 5


def test_an_audit_finds_a_negative_row():
    here = world()
    here.ports.store.commit(Put(Balance(account=ALICE.account, available=-5, debt=-5)))

    found = ledger.audit(here.ports, ALICE.account)

    assert (found.drift_fen, found.held_drift_fen) == (0, 0)
    assert not found.exact


class MovingStore:
    """A store in which money arrives right before entries are read, so many times."""

    def __init__(self, here, times):
        self._here, self._times = here, times

    def __getattr__(self, name):
        return getattr(self._here.ports.store, name)

    def query(self, kind, *args, **kwargs):
        if kind is schema.ENTRY and self._times:
            self._times -= 1
            self._here.notify(self._here.order())
        return self._here.ports.store.query(kind, *args, **kwargs)


def moving(here, times):
    return with_store(here, MovingStore(here, times))


@pytest.mark.parametrize("times", [1, 2])
def test_an_audit_counts_again_when_money_moved_meanwhile(times):
    here = world()

    found = ledger.audit(moving(here, times), ALICE.account)

    assert found.exact
    assert found.entries_fen == times * 9900


def test_an_audit_that_never_finds_rest_says_so():
    here = world()

    with pytest.raises(Unavailable):
        ledger.audit(moving(here, 99), ALICE.account)


def test_an_audit_of_nobody_is_refused():
    with pytest.raises(NotFound):
        ledger.audit(world().ports, "usr_nobody")
