"""The books, for the operator: breaks between them and the bills, and the report of a day."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from wharfage.domain.errors import NotFound
from wharfage.domain.record import Body
from wharfage.operations import audits, breaks, reconciliation
from wharfage.operations.audits import ReportView
from wharfage.operations.breaks import BreakView
from wharfage.operations.reconciliation import DayView, RunView
from wharfage.web import Accepted, App, Csv, Limit, Listing, admin

app = App("books")

CSV = "text/csv"


class Resolution(Body, frozen=True, kw_only=True):
    """Why a break needs nobody to look any more."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


@app.route("/v1/admin/reconciliation", methods=["GET"], auth=admin())
def index(limit: Limit = 20, cursor: str | None = None) -> Listing[RunView]:
    """List the days that were looked at, newest first; `ledger` is all accounts, replayed."""
    page = reconciliation.find_all(app.ports, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/admin/reconciliation/{channel}/{day}", methods=["GET"], auth=admin())
def show(channel: str, day: str, limit: Limit = 20, cursor: str | None = None) -> DayView:
    """Show the look at one day, and a page of its breaks."""
    wanted = _day(day)
    page = breaks.find_all(app.ports, channel, wanted, after=cursor, limit=limit)
    return DayView(
        run=reconciliation.find(app.ports, channel, wanted),
        breaks=page.items,
        next_cursor=app.sealed(page.next),
    )


@app.route("/v1/admin/reconciliation/{channel}/{day}/run", methods=["POST"], auth=admin())
def run(channel: str, day: str) -> Accepted[RunView]:
    """Have a day looked at, within a minute; once more, if it was before."""
    view = reconciliation.request(app.ports, channel, _day(day))
    location = f"/v1/admin/reconciliation/{view.channel}/{view.day}"
    return Accepted(view, location=location, retry_after=60)


@app.route(
    "/v1/admin/reconciliation/{channel}/{day}/breaks/{break_id}/resolve",
    methods=["POST"],
    auth=admin(),
)
def resolve(channel: str, day: str, break_id: str, body: Resolution) -> BreakView:
    """Close a break, with a reason, for good. The same reason again changes nothing."""
    made = breaks.resolve(
        app.ports, app.principal, channel, _day(day), break_id, reason=body.reason
    )
    return made.value


@app.route("/v1/admin/reports/{day}", methods=["GET"], auth=admin())
def report(
    day: str,
    format: Literal["json", "csv"] | None = None,  # noqa: A002 - its name in the query
) -> ReportView | Csv:
    """Show a day's ledger over all accounts. As CSV with `Accept: text/csv` or `format`."""
    view = audits.find_report(app.ports, _day(day))
    if format == "csv" or (format is None and CSV in app.request.headers.get("accept", "")):
        app.header("Content-Disposition", f'attachment; filename="wharfage-{view.day}.csv"')
        return Csv(audits.as_csv(view))
    return view


def _day(text: str) -> date:
    """Read a day of the path: `yyyy-mm-dd`, and in no other form."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise NotFound(what="day") from None
    if day.isoformat() != text:
        raise NotFound(what="day")
    return day
