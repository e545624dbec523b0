"""`wharfage usage` and `statement`: what was used and paid, on paper."""

import csv
import io

import pytest

from tests.client.conftest import Run
from tests.client.playing import Api, with_jobs
from tests.client.samples import METER, STATEMENT, entry_view, usage_day

pytestmark = pytest.mark.usefixtures("signed_in")
JOB = "job_" + "1" * 26


def test_usage_is_shown_day_by_day_to_the_last_page(api: Api, run: Run):
    api.usage_days = [usage_day(f"2026-03-0{number}", units=number) for number in (5, 4, 3)]

    shown = run("usage", "--since", "2026-03-03", "--until", "2026-03-05").out.decode()
    listed = run("usage", "--json").json["items"]

    assert [line.split() for line in shown.splitlines()[1:]] == [
        [f"2026-03-0{number}", "1", "2", "150.500", "CNY", "0.30", str(number)]
        for number in (5, 4, 3)
    ]
    assert listed == api.usage_days
    first, *_ = api.of("GET", "/v1/usage")
    assert first.query == {"since": "2026-03-03", "until": "2026-03-05"}


def test_a_day_that_goes_on_in_the_next_page_is_added_up(api: Api, run: Run):
    api.usage_days = [usage_day(f"2026-03-0{number}") for number in (5, 4, 4, 4)]

    listed = run("usage", "--json").json["items"]

    assert [day["day"] for day in listed] == ["2026-03-05", "2026-03-04"]
    assert listed[1] == {
        "day": "2026-03-04", "jobs": 3, "attempts": 6, "charged_seconds": 300, "vcpu_ms": 451_500,
        "memory_mb_seconds": 153_600, "amount_fen": 90, "units": 0,
    }  # fmt: skip


def test_a_job_is_shown_attempt_by_attempt_with_its_cost(api: Api, run: Run):
    with_jobs(api, JOB)

    shown = run("usage", JOB[:9]).out.decode()

    assert "150.000" in shown
    assert "CNY 0.02" in shown
    assert run("usage", JOB, "--json").json == METER


@pytest.mark.parametrize(
    "wrong", [["--since", "2026-3-1"], ["--until", "today"], [JOB, "--since", "2026-03-01"]]
)
def test_what_is_no_day_is_refused_before_anything_is_asked(api: Api, run: Run, wrong: list[str]):
    assert run("usage", *wrong).code == 2
    assert api.seen == []


def test_a_job_that_is_not_there_is_not_found(run: Run):
    assert run("usage", JOB).code == 3


def test_a_statement_is_shown_and_says_that_its_month_goes_on(run: Run):
    result = run("statement", "2026-03")

    shown = [line.split() for line in result.out.decode().splitlines()[1:]]
    assert shown == [
        ["opening", "CNY", "1.00", "0"],
        ["topup", "2", "CNY", "20.00", "0"],
        ["closing", "CNY", "21.00", "0"],
    ]
    assert "2026-03" in result.err.decode()
    assert run("statement", "2026-03", "--json").json == STATEMENT


def test_the_csv_of_a_statement_is_every_entry_and_no_formula(api: Api, run: Run):
    api.entries = [entry_view(f"r{n}", 5) | {"note": "=1+1"} for n in range(250)]

    found = list(csv.DictReader(io.StringIO(run("statement", "2026-03", "--csv").out.decode())))

    assert [row["reference"] for row in found] == [f"r{n}" for n in range(250)]
    assert {row["note"] for row in found} == {"'=1+1"}


@pytest.mark.parametrize(
    "wrong", [["2026-3"], ["2026-13"], ["march"], ["2026-03", "--csv", "--json"], []]
)
def test_what_is_no_month_is_refused_before_anything_is_asked(api: Api, run: Run, wrong: list[str]):
    assert run("statement", *wrong).code == 2
    assert api.seen == []
