"""The agents' own API: enrol, stay alive, take work, report, ship logs and files."""

from ipaddress import ip_address

from wharfage.domain import limits
from wharfage.messages import (
    AssignmentsReply,
    AssignmentsRequest,
    ClaimsReply,
    ClaimsRequest,
    CredentialsReply,
    EnrolReply,
    EnrolRequest,
    HeartbeatReply,
    HeartbeatRequest,
    LogsReply,
    LogsRequest,
    OutputsReply,
    OutputsRequest,
    ReportsReply,
    ReportsRequest,
)
from wharfage.operations import agents, claims, logs, outputs, reports
from wharfage.web import App, agent, public

app = App("agents")


@app.route("/v1/agent/enrol", methods=["POST"], auth=public())
def enrol(body: EnrolRequest) -> EnrolReply:
    """Make this machine a host, by a one-time code."""
    return agents.enrol(app.ports, body, local=ip_address(app.request.source_ip).is_loopback)


@app.route("/v1/agent/credentials", methods=["POST"], auth=agent())
def credentials() -> CredentialsReply:
    """Get short-lived credentials for this host's queues."""
    return agents.credentials(app.ports, app.host)


@app.route("/v1/agent/heartbeat", methods=["POST"], auth=agent())
def heartbeat(body: HeartbeatRequest) -> HeartbeatReply:
    """Renew this host's lease."""
    return agents.heartbeat(app.ports, app.host, body)


@app.route("/v1/agent/assignments", methods=["POST"], auth=agent())
def assignments(body: AssignmentsRequest) -> AssignmentsReply:
    """Learn what this host should hold."""
    return agents.assigned(app.ports, app.host, body)


@app.route("/v1/agent/claims", methods=["POST"], auth=agent())
def claim(body: ClaimsRequest) -> ClaimsReply:
    """Take work that there is room for."""
    return claims.claim(app.ports, app.host, body)


@app.route("/v1/agent/reports", methods=["POST"], auth=agent())
def report(body: ReportsRequest) -> ReportsReply:
    """Say what became of attempts."""
    return reports.receive(app.ports, app.host, body)


@app.route(
    "/v1/agent/logs", methods=["POST"], auth=agent(), body_bytes_max=limits.LOGS_BODY_BYTES_MAX
)
def ship_logs(body: LogsRequest) -> LogsReply:
    """Ship what containers wrote."""
    return logs.receive(app.ports, app.host, body)


@app.route("/v1/agent/outputs", methods=["POST"], auth=agent())
def settle_outputs(body: OutputsRequest) -> OutputsReply:
    """Say which files a job left, and learn where to send those that have not arrived."""
    return outputs.receive(app.ports, app.host, body)
