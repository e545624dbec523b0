"""The client against the published OpenAPI document: every path it asks, every field it reads."""

import json
import re
from typing import Any

import pytest

from tests.client import samples
from tests.client.conftest import ROOT
from wharfage_client import disputes, invoices, operator, refunds, statements, views
from wharfage_client.words import TEXTS

DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
SOURCES = (
    "api.py", "operator.py", "refunds.py", "uploads.py", "commands/books.py", "statements.py",
    "invoices.py", "disputes.py",
)  # fmt: skip
SOURCE = "".join((ROOT / "client" / "wharfage_client" / name).read_text() for name in SOURCES)

INTERNAL = {"claimed", "preparing"}  #: An attempt's; a job shows them as starting.

VIEWS = [
    (views.Job, "JobView"), (views.Attempt, "AttemptView"), (views.LogPage, "LogPage"),
    (views.LogPart, "LogPart"), (views.Order, "OrderView"), (views.Pay, "PayView"),
    (views.Quota, "QuotaView"), (views.Check, "CheckView"), (views.Prices, "PricesView"),
    (views.Entry, "EntryView"), (views.Account, "AccountView"), (views.Tokens, "Tokens"),
    (views.Host, "HostView"), (views.Code, "CodeView"), (views.Upload, "UploadView"),
    (views.Outputs, "OutputsView"), (views.Output, "OutputView"),
    (views.MissingOutput, "MissingOutput"),
    (views.Plan, "PlanView"), (views.Channel, "ChannelOffer"),
    (views.Membership, "MembershipView"), (views.Period, "PeriodView"),
    (views.Template, "TemplateView"), (statements.UsageDay, "UsageDay"),
    (invoices.Invoice, "InvoiceView"), (invoices.RedNote, "RedNoteView"),
    (statements.Statement, "Statement"), (statements.StatementLine, "StatementLine"),
    (statements.JobMeter, "JobMeter"), (statements.MeterLine, "MeterLine"),
    (views.Template, "TemplateView"), (refunds.Refund, "OrderRefundView"),
    (disputes.Dispute, "DisputeView"),
    (operator.Standing, "StandingView"), (operator.OwnQuotas, "QuotasView"),
    (operator.Flagged, "FlaggedOrder"), (operator.Inspection, "Inspection"),
]  # fmt: skip

SAMPLES = [
    (samples.job_view("job_1"), "JobView"), (samples.order_view("ord_1", 5), "OrderView"),
    (samples.host_view("hst_1"), "HostView"), (samples.entry_view("a", 5), "EntryView"),
    (samples.user_view("usr_1", "a@example.com"), "AccountView"), (samples.PLAN, "PlanView"),
    (samples.CHANNELS[0], "ChannelOffer"),
    (samples.MEMBERSHIP, "MembershipView"), (samples.PERIOD, "PeriodView"),
    (samples.TEMPLATE, "TemplateView"), (samples.usage_day("2026-03-01"), "UsageDay"),
    (samples.INVOICE, "InvoiceView"), (samples.RED_NOTE, "RedNoteView"),
    (samples.STATEMENT, "Statement"), (samples.METER, "JobMeter"),
    (samples.METER["lines"][0], "MeterLine"),
]  # fmt: skip


def fields(schema: str) -> set[str]:
    return set(DOCUMENT["components"]["schemas"][schema]["properties"])


def anonymous(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_path_the_client_asks_is_published():
    asked = {anonymous(path) for path in re.findall(r'"(/v1/[^"]*)"', SOURCE)}

    assert asked
    published = {anonymous(path) for path in DOCUMENT["paths"]} | {"/v1/admin/reports"}
    assert asked - published == set()


@pytest.mark.parametrize(("view", "schema"), VIEWS)
def test_every_field_the_client_reads_is_published(view: Any, schema: str):
    assert set(view.__annotations__) == fields(schema)


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("reason", "ReasonCode"),
        ("waiting", "WaitingFor"),
        ("status", "AttemptState"),
        ("missing", "MissingReason"),
    ],
)
def test_every_code_the_api_can_give_is_said_in_words(kind: str, schema: str):
    codes = set(DOCUMENT["components"]["schemas"][schema]["enum"])

    assert {code for code in codes if f"{kind}.{code}" not in TEXTS} <= INTERNAL


@pytest.mark.parametrize(("sample", "schema"), SAMPLES)
def test_what_the_played_api_shows_is_what_is_published(sample: dict[str, Any], schema: str):
    assert set(sample) == fields(schema)
