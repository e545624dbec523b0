"""Hosts, for the operator: enrolment codes, the fleet, drain and revoke."""

from typing import Annotated

from msgspec import Meta

from wharfage.domain.host_view import CodeView, HostView
from wharfage.domain.record import Body
from wharfage.domain.spec import Labels, PoolName
from wharfage.operations import hosts
from wharfage.web import App, Created, Limit, Listing, NoContent, admin

app = App("hosts")


class CodeRequest(Body, frozen=True, kw_only=True):
    """What the host that uses the code will be: its pool and labels are fixed by it."""

    pool: PoolName = "default"
    labels: Labels = {}


class DrainRequest(Body, frozen=True, kw_only=True):
    """How long running work may go on before it is handed back."""

    deadline_s: Annotated[int, Meta(ge=0, le=7 * 24 * 3600)] = 3600


@app.route("/v1/hosts/codes", methods=["POST"], auth=admin())
def issue_code(body: CodeRequest) -> Created[CodeView]:
    """Make a one-time code, good for 15 minutes, that enrols one machine."""
    return Created(hosts.issue_code(app.ports, app.principal, pool=body.pool, labels=body.labels))


@app.route("/v1/hosts", methods=["GET"], auth=admin())
def index(limit: Limit = 20, cursor: str | None = None) -> Listing[HostView]:
    """List the fleet, newest first."""
    page = hosts.find_all(app.ports, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/hosts/{host_id}", methods=["GET"], auth=admin())
def show(host_id: str) -> HostView:
    """Show one host."""
    return hosts.find(app.ports, host_id)


@app.route("/v1/hosts/{host_id}/drain", methods=["POST"], auth=admin())
def drain(host_id: str, body: DrainRequest) -> HostView:
    """Let a host finish what it runs and take nothing new."""
    return hosts.drain(app.ports, host_id, deadline_seconds=body.deadline_s)


@app.route("/v1/hosts/{host_id}/undrain", methods=["POST"], auth=admin())
def undrain(host_id: str) -> HostView:
    """Let a draining host take work again."""
    return hosts.undrain(app.ports, host_id)


@app.route("/v1/hosts/{host_id}/revoke", methods=["POST"], auth=admin())
def revoke(host_id: str) -> NoContent:
    """Make a host's token worthless and give its work to others."""
    hosts.revoke(app.ports, host_id)
    return NoContent()
