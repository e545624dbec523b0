"""Quota: what an account has, what work would cost, and where its money went."""

from datetime import date
from typing import Literal

from wharfage.domain.meter import JobMeter, UsageDay
from wharfage.domain.spec import Submission
from wharfage.domain.statement import Statement
from wharfage.operations import ledger, life, meters, quota, statements
from wharfage.operations.ledger import Adjustment, EntryView
from wharfage.operations.life import Freeze, StandingView
from wharfage.operations.quota import CheckView, PricesView, QuotaView
from wharfage.web import App, Created, Csv, Limit, Listing, admin, public, signed_in

app = App("quota")

CSV = "text/csv"

Format = Literal["json", "csv"] | None


@app.route("/v1/quota", methods=["GET"], auth=signed_in())
def show() -> QuotaView:
    """Show your money: available, held for your jobs, and owed; and your units."""
    return quota.show(app.ports, app.principal)


@app.route("/v1/quota/check", methods=["POST"], auth=signed_in())
def check(body: Submission) -> CheckView:
    """Say what a job would hold and cost at most, and what pays for it. Nothing is done."""
    return quota.check(app.ports, app.principal, body)


@app.route("/v1/ledger", methods=["GET"], auth=signed_in())
def entries(
    limit: Limit = 20,
    cursor: str | None = None,
    format: Format = None,  # noqa: A002 - its name in the query
) -> Listing[EntryView] | Csv:
    """List every move of your money and units, newest first.

    As CSV with `Accept: text/csv` or `format`.
    """
    page = ledger.find_all(app.ports, app.principal, after=cursor, limit=limit)
    return _entries(app.listing(page.items, page.next), "/v1/ledger", format)


@app.route("/v1/usage", methods=["GET"], auth=signed_in())
def usage(
    since: date | None = None, until: date | None = None, cursor: str | None = None
) -> Listing[UsageDay]:
    """Show what your jobs used day by day in your time zone, newest first; a week unless said.

    At most 31 days. A day that goes on behind `next_cursor` is there again: add it up.
    """
    page = meters.of_days(app.ports, app.principal, since, until, after=cursor)
    return app.listing(page.items, page.next)


@app.route("/v1/usage/jobs/{job_id}", methods=["GET"], auth=signed_in())
def job_usage(job_id: str) -> JobMeter:
    """Show a job's meter lines: what each ended attempt used, and what it cost."""
    return meters.of_job(app.ports, app.principal, job_id)


@app.route("/v1/statements/{month}", methods=["GET"], auth=signed_in())
def statement(month: str, format: Format = None) -> Statement | Csv:  # noqa: A002
    """Show a month, as `2026-03`, in your time zone: opening, every code's sum, closing.

    As CSV with `Accept: text/csv` or `format`.
    """
    view = statements.show(app.ports, app.principal, month)
    return Csv(statements.as_csv(view)) if _wants_csv(format) else view


@app.route("/v1/statements/{month}/entries", methods=["GET"], auth=signed_in())
def statement_entries(
    month: str,
    limit: Limit = 20,
    cursor: str | None = None,
    format: Format = None,  # noqa: A002 - its name in the query
) -> Listing[EntryView] | Csv:
    """List every entry of a month, newest first. As CSV with `Accept: text/csv` or `format`."""
    page = statements.find_entries(app.ports, app.principal, month, after=cursor, limit=limit)
    path = f"/v1/statements/{month}/entries"
    return _entries(app.listing(page.items, page.next), path, format)


@app.route("/v1/prices", methods=["GET"], auth=public())
def prices() -> PricesView:
    """Show the prices that new work is admitted under."""
    return quota.prices(app.ports.prices)


@app.route("/v1/admin/users/{user_id}/freeze", methods=["POST"], auth=admin())
def freeze(user_id: str, body: Freeze) -> StandingView:
    """Freeze an account's money, with a reason: no new work is started."""
    return life.freeze(app.ports, app.principal, user_id, body)


@app.route("/v1/admin/users/{user_id}/unfreeze", methods=["POST"], auth=admin())
def unfreeze(user_id: str, body: Freeze) -> StandingView:
    """Let an account use its money again, with a reason."""
    return life.unfreeze(app.ports, app.principal, user_id, body)


@app.route("/v1/admin/adjustments", methods=["POST"], auth=admin())
def adjust(body: Adjustment) -> Created[EntryView]:
    """Book money or units by hand, with a reason. The same `reference` again is the same entry."""
    made = ledger.adjust(app.ports, app.principal, body)
    return Created(made.value, replayed=made.replayed)


def _entries(listing: Listing[EntryView], path: str, asked: Format) -> Listing[EntryView] | Csv:
    """Answer with a part of a ledger, in the form that was asked for."""
    if not _wants_csv(asked):
        return listing
    if listing.next_cursor is not None:
        app.header("Link", f'<{path}?format=csv&cursor={listing.next_cursor}>; rel="next"')
    return Csv(ledger.as_csv(listing.items))


def _wants_csv(asked: Format) -> bool:
    return asked == "csv" or (asked is None and CSV in app.request.headers.get("accept", ""))
