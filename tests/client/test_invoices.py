"""`wharfage invoice`: asked for by customers, written by the operator."""

import pytest

from tests.client.conftest import Run
from tests.client.playing import Api
from tests.client.samples import INVOICE, RED_NOTE

pytestmark = pytest.mark.usefixtures("signed_in")
ADMIN = f"/v1/admin/invoices/{INVOICE['account']}/{INVOICE['id']}"


def test_an_invoice_is_asked_for_and_shown(api: Api, run: Run):
    words = ("ask", "2026-03", "--title", "演示公司", "--tax-number", INVOICE["tax_number"])

    shown = run("invoice", *words).out.decode()

    assert "CNY 10.00" in shown
    assert "演示公司" in shown
    assert run("invoice", *words, "--json").json == INVOICE
    first, _ = api.of("POST", "/v1/invoices")
    assert first.body == {name: INVOICE[name] for name in ("month", "title", "tax_number")}


def test_a_person_has_no_taxpayers_number(api: Api, run: Run):
    assert run("invoice", "ask", "2026-03", "--title", "王芳").code == 0

    assert api.of("POST", "/v1/invoices")[0].body["tax_number"] is None


def test_invoices_are_listed(run: Run):
    shown = run("invoice").out.decode()

    assert INVOICE["id"] in shown
    assert "requested" in shown
    assert run("invoice", "--json").json == {"items": [INVOICE]}


def test_the_operator_lists_those_in_a_state(api: Api, run: Run):
    assert run("invoice", "all", "--json").json == {"items": [INVOICE]}
    assert run("invoice", "all", "--state", "issued", "--json").json == {"items": []}


def test_the_operator_issues_or_rejects_one_by_the_beginning_of_its_id(api: Api, run: Run):
    issued = run("invoice", "issue", "inv_11", "12345678", "--json").json
    rejected = run("invoice", "reject", INVOICE["id"], "wrong name", "--json").json

    assert (issued["state"], issued["number"]) == ("issued", "12345678")
    assert (rejected["state"], rejected["reason"]) == ("rejected", "wrong name")
    assert api.of("POST", f"{ADMIN}/issue")[0].body == {"number": "12345678"}
    assert api.of("POST", f"{ADMIN}/reject")[0].body == {"reason": "wrong name"}


def test_what_names_no_invoice_or_several_is_refused(api: Api, run: Run):
    api.invoices = [INVOICE, INVOICE | {"id": "inv_12"}]

    assert run("invoice", "issue", "inv_9", "12345678").code == 3
    assert run("invoice", "issue", "inv_1", "12345678").code != 0
    assert not [each for each in api.seen if each.method == "POST"]


def test_red_letter_notes_are_listed_and_noted_as_written(api: Api, run: Run):
    listed = run("invoice", "red").out.decode()
    written = run("invoice", "red", "--written", "red_1", "87654321", "--json").json

    assert "CNY 3.00" in listed
    assert written["items"] == [RED_NOTE | {"state": "written", "number": "87654321"}]


@pytest.mark.parametrize(
    "wrong",
    [["ask", "2026-03"], ["ask", "2026-3", "--title", "a"], ["red", "--written", "red_1"],
     ["red", "123"], ["all", "--state", "lost"], ["issue", "inv_1"], ["reject", "inv_1"]],
)  # fmt: skip
def test_what_is_not_whole_is_refused_before_anything_is_asked(
    api: Api, run: Run, wrong: list[str]
):
    assert run("invoice", *wrong).code == 2
    assert api.seen == []
