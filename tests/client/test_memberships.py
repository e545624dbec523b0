"""`wharfage membership`, `templates`, and `run --template`: units bought and spent."""

import json
from pathlib import Path

import pytest

from tests.client.conftest import Run
from tests.client.playing import Api
from tests.client.said import Script
from tests.client.samples import MEMBERSHIP, PERIOD, PLAN, SUCCEEDS, entry_view

pytestmark = pytest.mark.usefixtures("signed_in")


def test_a_month_is_bought_by_its_plan_alone_and_shown_when_paid(api: Api, run: Run):
    result = run("membership", "basic")

    assert result.code == 0
    assert api.of("POST", "/v1/orders")[0].body == {
        "kind": "membership", "plan": "basic", "method": "qr",
    }  # fmt: skip
    assert b"https://qr.example/ord_" in result.out
    assert "member of basic until 2026-12-21T03:00:00Z" in result.out.decode()


def test_without_a_plan_it_shows_what_there_is_and_what_one_has(api: Api, run: Run):
    api.membership = MEMBERSHIP | {"active": False}

    result = run("membership")

    assert "CNY 99.00" in result.out.decode()
    assert "ended at 2026-12-21" in result.out.decode()
    assert run("membership", "--json").json == {"plans": [PLAN], "membership": api.membership}
    assert api.of("POST", "/v1/orders") == []


def test_the_quota_shows_the_units_of_the_open_month(api: Api, run: Run):
    api.period = PERIOD

    assert "93 of 100" in run("quota").out.decode()


def test_the_ledger_shows_a_move_of_units_as_units(api: Api, run: Run):
    api.entries = [entry_view("a", 0) | {"code": "use", "units": -5}]

    assert "-5 units" in run("ledger").out.decode()


def test_templates_are_listed_with_their_price_and_what_they_take(run: Run):
    lines = run("templates").out.decode()

    assert "upscale" in lines
    assert "CNY 0.40" in lines
    assert "factor [text]" in lines
    assert "放大图片" in run("templates", LANG="zh_CN.UTF-8").out.decode()


def test_a_template_is_run_with_pairs_as_its_input(api: Api, run: Run):
    api.next_script = Script(steps=SUCCEEDS, log=[("stdout", b"done")])

    result = run("run", "--template", "upscale", "factor=2", "text=two = 2", 'tags=["a"]')

    assert (result.code, result.out) == (0, b"done")
    assert api.of("POST", "/v1/jobs")[0].body == {
        "template": "upscale",
        "input": {"factor": 2, "text": "two = 2", "tags": ["a"]},
    }


def test_an_input_is_read_from_a_file_and_pairs_go_before_it(api: Api, run: Run, tmp_path: Path):
    file = tmp_path / "input.json"
    file.write_text(json.dumps({"factor": 2, "text": "大"}))

    run("run", "--detach", "--template", "upscale", "--input", str(file), "factor=3")
    run("run", "--detach", "--input", str(file), "busybox", "cat")

    template, image = (seen.body for seen in api.of("POST", "/v1/jobs"))
    assert template == {"template": "upscale", "input": {"factor": 3, "text": "大"}}
    assert image == {"image": "busybox", "command": ["cat"], "input": {"factor": 2, "text": "大"}}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--template", "upscale", "factor"],
        ["--template", "upscale", "--input", "/nowhere/input.json"],
    ],
)
def test_what_cannot_be_read_is_sent_to_nobody(api: Api, run: Run, arguments: list[str]):
    result = run("run", *arguments)

    assert result.code == 125
    assert api.of("POST", "/v1/jobs") == []


@pytest.mark.parametrize("text", ["[1]", "1", "{", ""])
def test_an_input_that_is_no_object_is_refused(api: Api, run: Run, tmp_path: Path, text: str):
    file = tmp_path / "input.json"
    file.write_text(text)

    assert run("run", "--template", "upscale", "--input", str(file)).code == 125
    assert api.of("POST", "/v1/jobs") == []


def test_the_quota_shows_what_runs_costs_how_long_money_lasts_and_the_quotas_in_use(
    api: Api, run: Run
):
    told = run("quota").out.decode()

    assert "CNY 1.20 an hour" in told
    assert "1h30m" in told.replace(" ", "")
    assert "3 of 2000" in told
    assert "memory_mb" not in told
