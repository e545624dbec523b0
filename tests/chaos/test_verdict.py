"""The judges of a finished run: each finds the fault that it is there to find, and no other."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from tests.chaos import verdict
from tests.chaos.customers import Log
from tests.chaos.events import Life
from tests.chaos.injector import Done
from tests.chaos.test_books import ENDED, ENTRY, ORDER, RECORD, seen
from tests.chaos.work import Work
from wharfage.domain.attempt import AttemptState, ReasonClass
from wharfage.domain.balance import EntryCode

NAME = "wharfage-job_1-1"
USE = replace(ENTRY, code=EntryCode.USE, reference="job_1.1", amount_fen=-1)
TRADE = {"order_no": "ord_1", "status": "TRADE_SUCCESS", "trade_no": "T1", "amount": "1.00"}


def evidence(**changes: Any) -> Any:
    """Make what is left of a run of one job in which nothing went wrong."""
    work = Work(number=0, at=0, customer=0, kind="echo", script="echo hello", stdout=b"hello\n")
    right = {
        "works": {"job_1": work},
        "customers": [SimpleNamespace(orders=["ord_1"], faults=[])],
        "injector": SimpleNamespace(done=[], accepted_stale=[]),
        "lives": {NAME: Life(host="hst_1", starts=[10.0], ends=[20.0])},
        "hosts": {"second": "hst_1"},
        "last": seen(
            replace(ENDED, exit_code=0), RECORD, USE, ENTRY, replace(ORDER, trade_no="T1")
        ),
        "logs": {("job_1", 1): log()},
        "trades": [TRADE],
        "secrets": {"a password": "s3cret"},
        "log_files": [],
    }
    return SimpleNamespace(**(right | changes))


def log(**changes: Any) -> Log:
    streams = {"stdout": b"hello\n", "stderr": b""}
    right: dict[str, Any] = {"complete": True, "gap": False, "truncated": False, "streams": streams}
    return Log(**(right | changes))


def found(name: str, **changes: Any) -> list[str]:
    return list(getattr(verdict, name)(evidence(**changes)))


JUDGES = (
    "_paid_wrong", "_lost", "_unknown", "_ended_wrong", "_started_twice", "_charged_unstarted",
    "_overlaps", "_logs_wrong", "_leaks",
)  # fmt: skip


@pytest.mark.parametrize("judge", JUDGES)
def test_a_run_in_which_all_went_well_is_clean(judge):
    assert found(judge) == []


@pytest.mark.parametrize(
    ("judge", "changes"),
    [
        ("_paid_wrong", {"trades": [TRADE | {"trade_no": "T2"}]}),
        ("_paid_wrong", {"trades": [TRADE | {"amount": "2.00"}]}),
        ("_paid_wrong", {"trades": []}),
        ("_lost", {"last": seen(replace(ENDED, ended_at=None))}),
        ("_unknown", {"last": seen()}),
        ("_unknown", {"works": {}}),
        ("_ended_wrong", {"last": seen(replace(ENDED, exit_code=1))}),
        ("_ended_wrong", {"last": seen(replace(ENDED, state=AttemptState.CANCELLED))}),
        ("_ended_wrong", {"last": seen(replace(RECORD, reason_class=ReasonClass.PLATFORM))}),
        ("_started_twice", {"lives": {NAME: Life(host="hst_1", starts=[10.0, 12.0])}}),
        ("_charged_unstarted", {"lives": {}}),
        ("_charged_unstarted", {"lives": {NAME: Life(host="hst_1")}}),
        ("_logs_wrong", {"logs": {("job_1", 1): log(complete=False)}}),
        ("_logs_wrong", {"logs": {("job_1", 1): log(streams={"stdout": b"", "stderr": b""})}}),
        ("_logs_wrong", {"logs": {("job_1", 1): log(streams={"stdout": b"HELLO", "stderr": b""})}}),
    ],
)  # fmt: skip
def test_what_went_wrong_is_found(judge, changes):
    assert found(judge, **changes)


def test_a_marked_gap_excuses_missing_bytes_and_no_wrong_ones():
    short = {"stdout": b"hel", "stderr": b""}
    wrong = {"stdout": b"hey", "stderr": b""}

    assert found("_logs_wrong", logs={("job_1", 1): log(gap=True, streams=short)}) == []
    assert found("_logs_wrong", logs={("job_1", 1): log(gap=True, streams=wrong)})


def test_attempts_overlap_only_while_the_first_host_is_away():
    lives = {
        NAME: Life(host="hst_1", starts=[10.0], ends=[200.0]),
        "wharfage-job_1-2": Life(host="hst_2", starts=[100.0], ends=[120.0]),
    }
    away = Done(kind="silence", lane="second", began=20.0, ended=130.0)

    assert found("_overlaps", lives=lives)
    excused = SimpleNamespace(done=[away], accepted_stale=[])
    assert found("_overlaps", lives=lives, injector=excused) == []


def test_a_secret_in_a_log_file_is_found(tmp_path):
    file = tmp_path / "gateway.log"
    file.write_text("the password was s3cret")

    assert found("_leaks", log_files=[file]) == ["a password is in gateway.log"]


def test_figures_say_whether_their_aim_was_met():
    assert verdict._figure([1.0, 2.0, 3.0], 5.0)["met"]
    assert not verdict._figure([1.0, 2.0, 6.0], 5.0)["met"]
    assert verdict._figure([], 5.0)["met"] is None
