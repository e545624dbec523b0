"""All accounts replayed, and the report of a day: each number is a sum of that day's entries."""

import csv
import io
from collections import defaultdict
from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from tests.fixtures.bills import (
    DAY,
    enlist,
    look,
    next_morning,
    publish,
    row,
    run_of,
    told,
)
from tests.fixtures.money import ALICE, BOB, OPERATOR, START, RacedStore, with_store, world
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.account import Principal, Role
from wharfage.domain.attempt import AttemptState
from wharfage.domain.balance import Balance, Entry, EntryCode
from wharfage.domain.errors import NotFound
from wharfage.domain.job import AttemptRecord
from wharfage.domain.reconciliation import LEDGER, Stage
from wharfage.domain.report import DailyReport, added
from wharfage.operations import audits, ledger, reconciliation
from wharfage.operations.ledger import Adjustment
from wharfage.transaction import Put, Update, absent, present


@pytest.fixture
def here():
    found = world()
    enlist(found, ALICE, BOB)
    return found


def use(here, who: Principal, name: str, cost_fen: int, state: AttemptState) -> None:
    """Charge an attempt that ended now."""
    job, _, number = name.rpartition(".")
    now = here.clock.moment
    here.ports.store.commit(
        Put(
            AttemptRecord(
                job=job, attempt=int(number), state=state, ended_at=now, run_seconds=1,
                cost_fen=cost_fen, oom=False,
            ),
            when=[absent()],
        ),
        Put(
            Entry(
                account=who.account, code=EntryCode.USE, reference=name, amount_fen=-cost_fen,
                debit=who.account, credit="revenue", posted_at=now,
            ),
            when=[absent()],
        ),
        Update(
            schema.BALANCE.key(account=who.account), add={"available": -cost_fen}, when=[present()]
        ),
    )  # fmt: skip


def pay(here, who: Principal, amount_fen: int):
    order = here.order(amount_fen, who)
    here.notify(order)
    return order


def all_entries(here, *who: Principal) -> list[Entry]:
    return [entry for each in who for entry in here.entries(each)]


def test_the_report_is_the_sum_of_the_days_entries(here):
    for who, amount_fen in ((ALICE, 1000), (ALICE, 2000), (BOB, 700)):
        pay(here, who, amount_fen)
    use(here, ALICE, "job_1.0", 30, AttemptState.SUCCEEDED)
    use(here, ALICE, "job_1.1", 20, AttemptState.FAILED)
    use(here, BOB, "job_2.0", 0, AttemptState.LOST)
    given = Adjustment(account=BOB.account, amount_fen=5, reason="thanks", reference="r1")
    ledger.adjust(here.ports, OPERATOR, given)
    next_morning(here)
    pay(here, ALICE, 9000)  # Of the next day.

    look(here)

    report = audits.find_report(here.ports, DAY)
    assert report.revenue["amount_fen"] == 50
    assert (report.paid_in["alipay"].count, report.paid_in["alipay"].amount_fen) == (3, 3700)
    assert report.paid_back == {}
    assert {each.state: (each.count, each.sums["amount_fen"]) for each in report.outcomes} == {
        "succeeded": (1, -30), "failed": (1, -20), "lost": (1, 0),
    }  # fmt: skip
    mine = [entry for entry in all_entries(here, ALICE, BOB) if entry.amount_fen != 9000]
    sums: dict[str, int] = defaultdict(int)
    for entry in mine:
        sums[entry.code] += entry.amount_fen
    assert {line.code: line.sums["amount_fen"] for line in report.lines} == sums
    assert sum(line.count for line in report.lines) == len(mine)


def test_the_report_as_csv_has_the_same_numbers(here):
    pay(here, ALICE, 1000)
    use(here, ALICE, "job_1.0", 30, AttemptState.SUCCEEDED)
    next_morning(here)
    look(here)

    text = audits.as_csv(audits.find_report(here.ports, DAY))

    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(each["what"], each["name"], each["count"], each["amount_fen"]) for each in rows] == [
        ("line", "topup", "1", "1000"),
        ("line", "use", "1", "-30"),
        ("outcome", "succeeded", "1", "-30"),
    ]


def test_money_that_goes_back_through_a_channel_is_told_apart():
    entry = Entry(
        account="usr_a", code=EntryCode.TOPUP, reference="x", amount_fen=-40, debit="usr_a",
        credit="clearing:alipay", posted_at=START,
    )  # fmt: skip

    report = added(DailyReport(day=DAY, round=1), [entry, replace(entry, amount_fen=-2)], {})

    assert report.paid_back() == {"alipay": (2, 42)}
    assert report.paid_in() == {}
    assert report.revenue() == {"amount_fen": 0} | dict.fromkeys(report.revenue(), 0)


def test_money_that_comes_back_from_revenue_lessens_it():
    entry = Entry(
        account="usr_a", code=EntryCode.ADJUSTMENT, reference="x", amount_fen=7, debit="revenue",
        credit="usr_a", posted_at=START,
    )  # fmt: skip

    assert added(DailyReport(day=DAY, round=1), [entry], {}).revenue()["amount_fen"] == -7


def test_a_day_has_the_moves_from_its_midnight_up_to_the_next(here):
    at = {"first": -12 * 3600 * 1000, "last": 12 * 3600 * 1000 - 1, "next": 12 * 3600 * 1000}
    noon = START.replace(microsecond=0)
    for name, ms in {**at, "before": at["first"] - 1}.items():
        here.clock.moment = noon + timedelta(milliseconds=ms)
        use(here, ALICE, f"job_{name}.0", 1, AttemptState.SUCCEEDED)
    next_morning(here)

    look(here)

    [line] = audits.find_report(here.ports, DAY).lines
    assert line.count == 2


def test_a_report_that_is_not_made_is_not_found(here):
    with pytest.raises(NotFound):
        audits.find_report(here.ports, DAY)
    here.ports.store.commit(Put(DailyReport(day=DAY, round=1)))
    with pytest.raises(NotFound):
        audits.find_report(here.ports, DAY)


def crowd(here, count: int) -> list[Principal]:
    who = [Principal(account=f"usr_{at:03d}", session="s", role=Role.USER) for at in range(count)]
    for each in who:
        here.ports.store.commit(Put(Balance(account=each.account), when=[absent()]))
        use(here, each, f"job_{each.account}.0", 0, AttemptState.SUCCEEDED)
    enlist(here, *who)
    return who


def test_accounts_are_replayed_in_pages_and_none_twice(here):
    crowd(here, limits.AUDIT_PAGE * 2)
    next_morning(here)
    ticks = 0
    while ticks == 0 or run_of(here, LEDGER).stage is not Stage.DONE:
        look(here, seconds=0)
        ticks += 1

    run = run_of(here, LEDGER)
    assert (run.accounts, run.restless) == (limits.AUDIT_PAGE * 2 + 2, 0)
    [line] = audits.find_report(here.ports, DAY).lines
    assert line.count == limits.AUDIT_PAGE * 2


def test_a_page_that_another_look_has_added_is_not_added_again(here):
    crowd(here, limits.AUDIT_PAGE * 2)
    next_morning(here)
    look(here, seconds=0)
    raced = RacedStore(here.ports.store, lambda: look(here))

    look(here, with_store(here, raced))

    [line] = audits.find_report(here.ports, DAY).lines
    assert line.count == limits.AUDIT_PAGE * 2
    assert run_of(here, LEDGER).accounts == limits.AUDIT_PAGE * 2 + 2


def test_a_rerun_makes_the_same_report(here):
    pay(here, ALICE, 1000)
    next_morning(here)
    look(here)
    first = audits.find_report(here.ports, DAY)

    reconciliation.request(here.ports, LEDGER, DAY)
    here.ports.store.commit(Put(DailyReport(day=DAY, round=2)))  # It has begun.
    assert audits.find_report(here.ports, DAY) == first
    look(here)

    assert audits.find_report(here.ports, DAY) == first
    assert run_of(here, LEDGER).round == 2


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"available": 1}, ["entries"]),
        ({"held": 1, "available": -1}, ["holds"]),
        ({"available": -1001, "held": 1}, ["entries", "holds"]),
        ({"available": -1001, "debt": -1001}, ["rows"]),
    ],
)
def test_an_account_that_does_not_add_up_is_a_break_and_an_alarm(here, row, names):
    pay(here, ALICE, 1000)
    key = schema.BALANCE.key(account=ALICE.account)
    here.ports.store.commit(Update(key, add=row, when=[present()]))
    next_morning(here)

    standing = look(here)

    found = here.ports.store.query(schema.BREAK, f"breaks#{LEDGER}#{DAY}", limit=10).items
    assert sorted(each.number for each in found) == sorted(names)
    assert {each.order for each in found} == {ALICE.account}
    assert standing.open_breaks == len(names)


def test_an_account_without_a_balance_is_a_break(here):
    enlist(here, OPERATOR)
    next_morning(here)

    look(here)

    assert told(here, LEDGER) == [("ledger", "open", OPERATOR.account)]


def test_drift_that_was_corrected_clears_by_itself(here):
    key = schema.BALANCE.key(account=ALICE.account)
    here.ports.store.commit(Update(key, add={"available": 5}, when=[present()]))
    next_morning(here)
    assert look(here).open_breaks == 1

    here.ports.store.commit(Update(key, add={"available": -5}, when=[present()]))
    here.clock.pass_(days=1)

    assert look(here).open_breaks == 0
    assert told(here, LEDGER) == [("ledger", "cleared", ALICE.account)]


def test_an_account_that_never_rests_is_left_to_the_next_look(here, monkeypatch):
    from wharfage.domain.errors import Unavailable

    def never(ports, account):
        raise Unavailable

    monkeypatch.setattr(ledger, "audit", never)
    next_morning(here)
    look(here)

    run = run_of(here, LEDGER)
    assert (run.stage, run.accounts, run.restless) == (Stage.DONE, 0, 2)


def test_a_bill_and_the_report_tell_of_the_same_payments(here):
    orders = [pay(here, who, 1000) for who in (ALICE, BOB)]
    publish(here, *map(row, orders))
    next_morning(here)
    look(here)

    run, report = run_of(here), audits.find_report(here.ports, date(2026, 3, 1))
    paid_in = report.paid_in["alipay"]
    assert (run.payments, run.payments_fen) == (paid_in.count, paid_in.amount_fen)
