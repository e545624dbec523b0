"""The checkers of a run see what they are there to see."""

from datetime import UTC, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.chaos.books import Progress, Snapshot, money_faults, work_faults
from tests.fixtures.money import START
from wharfage.domain.attempt import AttemptState
from wharfage.domain.balance import Balance, Entry, EntryCode, HoldState
from wharfage.domain.host import Assignment
from wharfage.domain.job import AttemptRecord, Job, admit
from wharfage.domain.order import Order, OrderKind, OrderState
from wharfage.domain.price import PriceList
from wharfage.domain.record import Record
from wharfage.domain.spec import JobSpec

PRICE = PriceList(version="1", vcpu_hour_fen=10, gb_hour_fen=2)
QUEUED, HOLD = admit(
    JobSpec(image="docker.io/a/b:1"),
    job_id="job_1",
    hold_id="hld_1",
    account="usr_a",
    price=PRICE,
    now=START,
)
RUNNING = replace(QUEUED, state=AttemptState.RUNNING, host="hst_1", claim_id="clm_1", version=2)
ENDED = replace(RUNNING, state=AttemptState.SUCCEEDED, ended_at=START, version=3)
ORDER = Order(
    id="ord_1", account="usr_a", kind=OrderKind.TOPUP, amount_fen=100, state=OrderState.PAID,
    created_at=START, expires_at=START, channel="alipay",
)  # fmt: skip
ENTRY = Entry(
    account="usr_a", code=EntryCode.TOPUP, reference="ord_1", amount_fen=100, debit="alipay",
    credit="usr_a", posted_at=START,
)  # fmt: skip
BALANCE = Balance(account="usr_a", available=100 - HOLD.amount_fen, held=HOLD.amount_fen)
OWNER = Assignment(
    host="hst_1", account="usr_a", job="job_1", attempt=1, claim_id="clm_1", boot="bot_1",
    claimed_at=START,
)  # fmt: skip
RECORD = AttemptRecord(
    job="job_1", attempt=1, state=AttemptState.SUCCEEDED, ended_at=START, run_seconds=1,
    cost_fen=1, oom=False,
)  # fmt: skip


def seen(*records: Record) -> Snapshot:
    rows: dict[type[Record], list[Record]] = {}
    for record in records:
        rows.setdefault(type(record), []).append(record)
    return Snapshot(rows)


RIGHT = (BALANCE, HOLD, ORDER, ENTRY, RUNNING, OWNER)


def changed(record: Any, **changes: Any) -> Snapshot:
    return seen(*(replace(each, **changes) if each is record else each for each in RIGHT))


def test_books_that_add_up_are_right():
    assert money_faults(seen(*RIGHT)) == []
    assert work_faults(seen(*RIGHT)) == []


@pytest.mark.parametrize(
    ("promise", "record", "changes"),
    [
        ("M1", ORDER, {"amount_fen": 101}),
        ("M1", ORDER, {"state": OrderState.OPEN}),
        ("M2", BALANCE, {"available": -1}),
        ("M2", BALANCE, {"held": -1}),
        ("M3", HOLD, {"state": HoldState.SETTLED}),
        ("M3", RUNNING, {"ended_at": START}),
        ("M4", HOLD, {"amount_fen": HOLD.amount_fen + 1}),
        ("M8", BALANCE, {"available": BALANCE.available + 1}),
        ("M8", ENTRY, {"amount_fen": 99}),
    ],
)
def test_a_fen_too_many_or_too_few_is_seen(promise, record, changes):
    found = money_faults(changed(record, **changes))

    assert promise in {fault.split()[0] for fault in found}


def test_an_attempt_with_two_owners_is_seen():
    assert work_faults(seen(*RIGHT, replace(OWNER, host="hst_2")))


def test_an_assignment_of_an_old_claim_is_seen():
    assert work_faults(changed(OWNER, claim_id="clm_0"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RUNNING, QUEUED),
        (ENDED, replace(QUEUED, attempt=2)),
        (ENDED, replace(ENDED, state=AttemptState.FAILED)),
    ],
)
def test_a_job_that_goes_back_is_seen(before: Job, after: Job):
    progress = Progress()

    assert progress.faults(seen(before)) == []
    assert progress.faults(seen(after))


def test_an_attempt_that_ends_another_way_is_seen():
    progress = Progress()
    later = START.astimezone(UTC) + timedelta(seconds=1)

    assert progress.faults(seen(RECORD)) == []
    assert progress.faults(seen(replace(RECORD, ended_at=later)))


def test_progress_is_no_fault():
    progress = Progress()

    assert [progress.faults(seen(each)) for each in (QUEUED, RUNNING, ENDED)] == [[], [], []]
