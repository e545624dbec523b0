"""The agents function, through the edge: tokens, boots, and what agents may say."""

import json
from typing import Any

import pytest

from functions.agents.app import app
from tests.fixtures.harbour import ROOM, Agent, Harbour, Person
from wharfage.domain import limits

CALLS = ["credentials", "heartbeat", "assignments", "claims", "reports", "logs"]


def body_of(call: str, boot: str) -> Any:
    """Write the least body that a call takes."""
    return {
        "credentials": None,
        "heartbeat": {"boot": boot, "agent_version": "1.0", "capacity": ROOM, "free": ROOM},
        "assignments": {"boot": boot},
        "claims": {"boot": boot, "free": ROOM},
        "reports": {"boot": boot, "reports": [report()]},
        "logs": {"pieces": [piece()]},
    }[call]


def report(**changes: Any) -> dict[str, Any]:
    whole = {
        "account": "usr_1", "job": "job_1", "attempt": 1, "claim_id": "clm_1", "seq": 1,
        "state": "running", "at": "2026-03-01T00:00:00Z",
    }  # fmt: skip
    return whole | changes


def piece(**changes: Any) -> dict[str, Any]:
    whole = {
        "account": "usr_1", "job": "job_1", "attempt": 1, "claim_id": "clm_1",
        "stream": "stdout", "offset": 0, "size": 0, "data": "",
    }  # fmt: skip
    return whole | changes


@pytest.mark.parametrize("call", CALLS)
def test_only_an_enrolled_host_may_call(
    harbour: Harbour, customer: Person, host: Agent, call: str
) -> None:
    secret = host.token.partition(".")[2]
    wrong = [
        None, "x", host.id, f"{host.id}.", f"{host.id}.x", f"hst_0.{secret}", f".{secret}",
        host.token + "x", host.token[:-1], customer.tokens["access_token"],
    ]  # fmt: skip

    for token in wrong:
        answer = harbour("POST", f"/v1/agent/{call}", body_of(call, host.boot), token=token)

        assert (answer.status, answer.code) == (401, "unauthenticated"), token
    assert host.ask(call, body_of(call, host.boot)).status == 200


@pytest.mark.parametrize("call", ["heartbeat", "assignments", "claims", "reports"])
def test_an_older_boot_is_told_that_another_has_taken_over(host: Agent, call: str) -> None:
    older = host.boot
    host.start()

    answer = host.ask(call, body_of(call, older))

    assert (answer.status, answer.code) == (409, "stale_boot")


def test_a_code_enrols_one_machine_once(harbour: Harbour, operator: Person) -> None:
    code = operator("POST", "/v1/hosts/codes", {"labels": {"zone": "a"}}).json["code"]
    agent, second = Agent(harbour), Agent(harbour)

    agent.enrol(code)
    again = second.ask("enrol", enrolment(code))

    assert agent.token.startswith(f"{agent.id}.")
    assert (again.status, again.code) == (422, "code_rejected")


def test_a_code_ends_after_a_quarter_of_an_hour(harbour: Harbour, operator: Person) -> None:
    code = operator("POST", "/v1/hosts/codes", {}).json["code"]
    harbour.clock.pass_(minutes=limits.ENROLMENT_MINUTES)

    answer = Agent(harbour).ask("enrol", enrolment(code))

    assert (answer.status, answer.code) == (422, "code_rejected")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"labels": {"zone": "b"}}, "/labels"),
        ({"labels": {"zone": "a", "gpu": "yes"}}, "/labels"),
        ({"name": "a b"}, "/name"),
        ({"name": "-a"}, "/name"),
        ({"name": "a\n"}, "/name"),
        ({"capacity": ROOM | {"slots": -1}}, "/capacity/slots"),
        ({"pool": "gpu"}, "/pool"),
        ({"status": "ready"}, "/status"),
    ],
)
def test_a_machine_may_only_narrow_what_its_code_grants(
    harbour: Harbour, operator: Person, changes: dict[str, Any], pointer: str
) -> None:
    code = operator("POST", "/v1/hosts/codes", {"labels": {"zone": "a", "disk": "ssd"}})

    refused = Agent(harbour).ask("enrol", enrolment(code.json["code"], **changes))
    narrowed = Agent(harbour).ask("enrol", enrolment(code.json["code"], labels={"zone": "a"}))

    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, pointer)
    assert (narrowed.status, narrowed.json["labels"]) == (200, {"zone": "a"})


def test_a_token_is_renewed_daily_and_the_old_one_ends_when_the_new_one_is_used(
    harbour: Harbour, host: Agent
) -> None:
    harbour.clock.pass_(hours=limits.AGENT_TOKEN_HOURS)

    old, new = host.token, host.ask("credentials").json["token"]
    still = host.ask("credentials").status
    host.token = new
    host.start()
    host.token = old
    ended = host.ask("credentials").status

    assert old != new
    assert (still, ended) == (200, 401)


def test_credentials_open_the_hosts_own_queues(host: Agent) -> None:
    answer = host.ask("credentials")

    assert answer.status == 200
    assert answer.json["token"] is None
    assert answer.json["mailbox_queue_url"].endswith(host.id)


def test_a_heartbeat_says_how_long_its_lease_is_and_when_to_come_again(host: Agent) -> None:
    idle, busy = host.beat(), host.beat(busy=True)

    assert (idle["lease_seconds"], idle["next_seconds"]) == (60, 45)
    assert busy["next_seconds"] == 10
    assert (idle["accepts_claims"], idle["notice"]) == (True, None)


def test_an_outdated_agent_gets_no_work_and_is_told_why(
    customer: Person, operator: Person, host: Agent
) -> None:
    customer.submit()

    told = host.beat(agent_version="0.0.9")

    assert (told["accepts_claims"], told["notice"]) == (False, "outdated_agent")
    assert host.claim()["grants"] == []
    assert operator.get(f"/v1/hosts/{host.id}")["status"] == "quarantined"


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 0},
        {"attempt": 10_000},
        {"attempt": "1"},
        {"seq": -1},
        {"seq": 2**53 + 1},
        {"exit_code": -1},
        {"exit_code": 256},
        {"exit_code": 0.5},
        {"signal": 0},
        {"signal": 65},
        {"run_ms": -1},
        {"run_ms": True},
        {"state": "done"},
        {"reason_code": "because"},
        {"image_digest": "sha256:" + "A" * 64},
        {"image_digest": "sha256:" + "a" * 64 + "\n"},
        {"claim_id": "../x"},
        {"job": "JOB_1"},
        {"at": "yesterday"},
        {"cost_fen": 0},
    ],
)
def test_a_report_that_cannot_be_true_is_refused(host: Agent, changes: dict[str, Any]) -> None:
    body = {"boot": host.boot, "reports": [report(**changes)]}

    answer = host.ask("reports", body)

    assert (answer.status, answer.code) == (422, "invalid")
    assert answer.json["errors"][0]["pointer"].startswith("/reports/0/")


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"])
@pytest.mark.parametrize("exit_code", [None, 0, 255])
def test_a_hosts_clock_decides_nothing(
    customer: Person, host: Agent, at: str, exit_code: int | None
) -> None:
    job = customer.submit()
    grant = host.take()
    host.begin(grant)
    customer.harbour.clock.pass_(seconds=3)
    held = {name: grant[name] for name in ("account", "job", "attempt", "claim_id")}
    end = held | {
        "seq": 9, "state": "succeeded", "at": at, "exit_code": exit_code, "started": True,
        "run_ms": 2000,
    }  # fmt: skip

    answer = host.ask("reports", {"boot": host.boot, "reports": [end]})

    assert [each["outcome"] for each in answer.json["reports"]] == ["accepted"]
    shown = customer.job(job)
    assert (shown["cost_fen"], shown["status"]) == (2, "failed" if exit_code != 0 else "succeeded")


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 2},
        {"claim_id": "clm_0"},
        {"job": "job_0"},
        {"account": "usr_0"},
    ],
)
def test_a_report_of_what_this_host_does_not_hold_changes_nothing(
    customer: Person, host: Agent, changes: dict[str, Any]
) -> None:
    job = customer.submit()
    grant = host.take()
    held = {name: grant[name] for name in ("account", "job", "attempt", "claim_id")}

    answer = host.ask("reports", {"boot": host.boot, "reports": [report(**(held | changes))]})

    assert [each["outcome"] for each in answer.json["reports"]] == ["stale_claim"]
    assert customer.job(job)["status"] == "starting"


def test_a_report_of_another_hosts_claim_changes_nothing(
    customer: Person, operator: Person, host: Agent
) -> None:
    job = customer.submit()
    grant = host.take()
    thief = operator.host()

    assert thief.report(grant, "running", seq=1) == "stale_claim"
    assert customer.job(job)["status"] == "starting"


@pytest.mark.parametrize(
    ("call", "name", "count", "status"),
    [
        ("reports", "reports", 0, 422),
        ("reports", "reports", limits.REPORTS_MAX, 200),
        ("reports", "reports", limits.REPORTS_MAX + 1, 422),
        ("logs", "pieces", 0, 422),
        ("logs", "pieces", limits.LOG_CHUNKS_MAX, 200),
        ("logs", "pieces", limits.LOG_CHUNKS_MAX + 1, 422),
    ],
)
def test_a_batch_has_its_limit(host: Agent, call: str, name: str, count: int, status: int) -> None:
    one = report() if name == "reports" else piece()
    body = {name: [one] * count} | ({"boot": host.boot} if call == "reports" else {})

    assert host.ask(call, body).status == status


def test_a_claim_hears_of_ten_jobs_at_most(host: Agent) -> None:
    heard = {"account": "usr_1", "job": "job_1", "attempt": 1}
    body = {"boot": host.boot, "free": ROOM, "candidates": [heard] * (limits.CLAIMS_MAX + 1)}

    answer = host.ask("claims", body)

    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/candidates")


@pytest.mark.parametrize("data", ["!", "AAAA", "eA=="])
def test_log_data_that_is_not_what_it_says_is_refused(
    customer: Person, host: Agent, data: str
) -> None:
    customer.submit()
    grant = host.take()
    held = {name: grant[name] for name in ("account", "job", "attempt", "claim_id")}

    answer = host.ask("logs", {"pieces": [piece(**held, data=data, size=3)]})

    assert answer.status in (400, 422)


def test_an_agent_from_elsewhere_is_refused_where_only_this_machine_is_served(
    operator: Person,
) -> None:
    code = operator("POST", "/v1/hosts/codes", {}).json["code"]
    event = {
        "version": "2.0",
        "routeKey": "POST /v1/agent/enrol",
        "rawPath": "/v1/agent/enrol",
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "http": {"method": "POST", "path": "/v1/agent/enrol", "sourceIp": "192.0.2.1"},
            "requestId": "r",
            "stage": "$default",
        },
        "body": json.dumps(enrolment(code)),
        "isBase64Encoded": False,
    }

    answer = app(event, None)

    assert answer["statusCode"] == 403
    assert "this installation" in answer["body"].lower()


def enrolment(code: str, **changes: Any) -> dict[str, Any]:
    whole = {
        "code": code, "name": "dock", "capacity": ROOM, "architecture": "x86_64",
        "engine_version": "20.10", "agent_version": "1.0",
    }  # fmt: skip
    return whole | changes
