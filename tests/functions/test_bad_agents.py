"""The agents' calls, made by an agent that is wrong, late, confused, or not what it says."""

from typing import Any

import pytest

from tests.fixtures.calls import enrolment, held, report, reports
from tests.fixtures.harbour import ROOM, Agent, Json
from tests.fixtures.port import Call, Port
from tests.fixtures.refusals import pointers, require_problem
from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason

REPORTS, CLAIMS = "POST /v1/agent/reports", "POST /v1/agent/claims"
ENROL, HEARTBEAT = "POST /v1/agent/enrol", "POST /v1/agent/heartbeat"
INVALID = (422, "invalid")
STALE_BOOT, REJECTED = (409, "stale_boot"), (422, "code_rejected")
TERMINAL = [state for state in AttemptState if state.terminal]


def say(port: Port, agent: Agent, *said: Json) -> list[str]:
    """Report, and return what became of each report."""
    answer = port.ask(REPORTS, reports(agent, *said), agent.token)
    assert answer.status == 200, answer.text
    return [each["outcome"] for each in answer.json["reports"]]


@pytest.mark.parametrize("state", AttemptState)
@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 2},
        {"attempt": 9999},
        {"claim_id": "clm_0"},
        {"job": "job_0"},
        {"account": "usr_0"},
        {"account": "job_0", "job": "usr_0"},
    ],
    ids=str,
)
def test_a_report_of_no_claim_of_this_host_changes_nothing(
    port: Port, state: AttemptState, changes: Json
) -> None:
    with port.unchanged():
        outcome = say(port, port.agent, report(port.grant, state=state, **changes))

    assert outcome == ["stale_claim"]


@pytest.mark.parametrize("state", AttemptState)
def test_a_report_of_another_hosts_or_tenants_claim_changes_nothing(
    port: Port, state: AttemptState
) -> None:
    mixed = report(port.other_grant, account=port.owner.account, state=state)
    with port.unchanged():
        outcomes = say(port, port.agent, report(port.other_grant, state=state), mixed)

    assert outcomes == ["stale_claim", "stale_claim"]


@pytest.mark.parametrize("attempt", [-1, 0, 10_000, 2**63])
def test_an_attempt_beyond_its_range_is_refused(port: Port, attempt: int) -> None:
    with port.unchanged():
        call = reports(port.agent, report(port.grant, attempt=attempt))
        answer = port.ask(REPORTS, call, port.agent.token)

    require_problem(answer, INVALID)
    assert pointers(answer) == ["/reports/0/attempt"]


@pytest.mark.parametrize("exit_code", [-1, 256, 2**31, 0.0, "0", True])
def test_an_exit_code_that_no_process_has_is_refused(port: Port, exit_code: Any) -> None:
    with port.unchanged():
        call = reports(port.agent, report(port.grant, exit_code=exit_code))
        answer = port.ask(REPORTS, call, port.agent.token)

    require_problem(answer, INVALID)
    assert pointers(answer) == ["/reports/0/exit_code"]


@pytest.mark.parametrize("state", TERMINAL)
def test_an_end_without_an_exit_code_is_no_success(port: Port, state: AttemptState) -> None:
    assert say(port, port.agent, report(port.grant, state=state, exit_code=None)) == ["accepted"]

    call = Call(path={"job_id": port.grant["job"]})
    job = port.ask("GET /v1/jobs/{job_id}", call, port.callers["owner"]).json
    assert job["status"] != "succeeded"
    port.harbour.check()


@pytest.mark.parametrize("reason", [None, *ReasonCode])
@pytest.mark.parametrize("stop_reason", [None, *StopReason])
@pytest.mark.parametrize("state", TERMINAL)
def test_every_end_that_a_host_can_speak_of_settles_its_money_once(
    port: Port, state: AttemptState, stop_reason: StopReason | None, reason: ReasonCode | None
) -> None:
    said = report(
        port.grant, state=state, stop_reason=stop_reason, reason_code=reason, signal=9, oom=True
    )

    first = say(port, port.agent, said)
    with port.unchanged():
        again = say(port, port.agent, said, said)
        other = say(port, port.agent, said | {"seq": 10, "state": "failed", "exit_code": 1})

    assert (first, again, other) == (["accepted"], ["repeated", "repeated"], ["stale_claim"])
    port.harbour.check()


@pytest.mark.parametrize(
    "at",
    [
        "1970-01-01T00:00:00Z",
        "2100-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2026-03-01T00:00:00",
        "2026-03-01T00:00:00+14:00",
    ],
)
@pytest.mark.parametrize("run_ms", [None, 0, 2**53])
def test_a_hosts_clock_charges_nobody(port: Port, at: str, run_ms: int | None) -> None:
    """The seconds charged are at most ours since the claim: the clock here has stood still."""
    assert say(port, port.agent, report(port.grant, at=at, run_ms=run_ms)) == ["accepted"]

    call = Call(path={"job_id": port.grant["job"]})
    job = port.ask("GET /v1/jobs/{job_id}", call, port.callers["owner"]).json
    assert (job["status"], job["cost_fen"]) == ("succeeded", 0)
    port.harbour.check()


@pytest.mark.parametrize("state", [state for state in AttemptState if not state.terminal])
def test_nothing_that_lives_follows_an_end(port: Port, state: AttemptState) -> None:
    assert say(port, port.agent, report(port.grant)) == ["accepted"]

    with port.unchanged():
        outcome = say(port, port.agent, report(port.grant, seq=99, state=state))

    assert outcome == ["stale_claim"]


@pytest.mark.parametrize(
    "state", ["pending", "queued", "claimed", "preparing", "starting", "running"]
)
@pytest.mark.parametrize("seq", [0, 4, 2**53])
def test_an_attempt_never_goes_back(port: Port, state: str, seq: int) -> None:
    with port.unchanged():
        outcome = say(port, port.agent, report(port.grant, state=state, seq=seq))

    assert outcome == ["repeated"]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"signal": 0}, "signal"),
        ({"signal": 65}, "signal"),
        ({"seq": -1}, "seq"),
        ({"run_ms": -1}, "run_ms"),
        ({"run_ms": 2**53 + 1}, "run_ms"),
        ({"at": 0}, "at"),
        ({"at": "now"}, "at"),
        ({"state": "RUNNING"}, "state"),
        ({"reason_code": "because"}, "reason_code"),
        ({"image_digest": "sha256:" + "A" * 64}, "image_digest"),
        ({"image_digest": "sha256:" + "a" * 64 + "\n"}, "image_digest"),
        ({"cost_fen": 0}, "cost_fen"),
    ],
    ids=str,
)
def test_a_report_is_held_to_its_form(port: Port, changes: Json, place: str) -> None:
    with port.unchanged():
        call = reports(port.agent, report(port.grant), report(port.grant, **changes))
        answer = port.ask(REPORTS, call, port.agent.token)

    require_problem(answer, INVALID)
    assert pointers(answer) == [f"/reports/1/{place}"]


def test_a_claim_of_more_than_a_host_has_in_all_is_cut_to_that(port: Port) -> None:
    jobs = [port.owner.submit() for _ in range(8)]
    heard = [{"account": port.owner.account, "job": each["id"], "attempt": 1} for each in jobs]
    free = dict.fromkeys(ROOM, 10_000)

    call = Call(body={"boot": port.agent.boot, "free": free, "candidates": heard})
    answer = port.ask(CLAIMS, call, port.agent.token)

    assert len(answer.json["grants"]) == ROOM["slots"]
    assert answer.json["more"] is True


@pytest.mark.parametrize("which", ["agent", "other_agent"])
def test_what_another_tenant_or_host_has_is_not_granted(port: Port, which: str) -> None:
    taken = port.other_grant if which == "agent" else port.grant
    agent: Agent = getattr(port, which)
    asked = [{name: taken[name] for name in ("account", "job", "attempt")}]
    mixed = [asked[0] | {"account": "usr_0"}]

    for candidates in (asked, mixed):
        with port.unchanged():
            body = {"boot": agent.boot, "free": ROOM | {"slots": 0}, "candidates": candidates}
            answer = port.ask(CLAIMS, Call(body=body), agent.token)

        assert answer.json["grants"] == []
        assert {each["outcome"] for each in answer.json["declined"]} <= {"taken", "gone"}
        assert len(answer.json["declined"]) == 1


def test_a_draining_host_is_granted_nothing(port: Port) -> None:
    heard = {"account": port.bell.account, "job": port.bell.job, "attempt": port.bell.attempt}
    with port.unchanged():
        body = {"boot": port.draining.boot, "free": ROOM, "candidates": [heard]}
        answer = port.ask(CLAIMS, Call(body=body), port.draining.token)

    assert answer.json == {"grants": [], "declined": [], "more": False}


@pytest.mark.parametrize("boot", ["bot_0", "aaa_0", "other"])
def test_a_boot_that_is_not_this_hosts_moves_nothing(port: Port, boot: str) -> None:
    boot = port.other_agent.boot if boot == "other" else boot
    bodies: dict[str, Json] = {
        HEARTBEAT: {"boot": boot, "agent_version": "1.0", "capacity": ROOM, "free": ROOM},
        "POST /v1/agent/assignments": {"boot": boot},
        CLAIMS: {"boot": boot, "free": ROOM},
        REPORTS: {"boot": boot, "reports": [report(port.grant)]},
    }

    for name, body in bodies.items():
        with port.unchanged():
            answer = port.ask(name, Call(body=body), port.agent.token)

        require_problem(answer, STALE_BOOT)


@pytest.mark.parametrize(
    "version", ["", "garbage", "0", "-1", "9" * 32, "1.\uff11", "\u202e1.0", "0.0.0"]
)
def test_a_heartbeat_of_any_version_is_answered(port: Port, version: str) -> None:
    body = {"boot": port.agent.boot, "agent_version": version, "capacity": ROOM, "free": ROOM}

    answer = port.ask(HEARTBEAT, Call(body=body), port.agent.token)

    assert answer.status == 200
    assert answer.json["accepts_claims"] is (version not in ("", "garbage", "0", "0.0.0"))


def test_a_first_heartbeat_cannot_keep_what_another_host_holds(port: Port) -> None:
    boot = port.harbour.ports.ids.new("bot")
    body = {
        "boot": boot, "agent_version": "1.0", "capacity": ROOM, "free": ROOM,
        "held": [held(port.other_grant), held(port.grant)],
    }  # fmt: skip

    assert port.ask(HEARTBEAT, Call(body=body), port.agent.token).status == 200

    wanted = port.ask("POST /v1/agent/assignments", Call(body={"boot": boot}), port.agent.token)
    assert [each["job"] for each in wanted.json["assignments"]] == [port.grant["job"]]
    port.harbour.check()


def test_an_enrolment_code_is_good_once(port: Port) -> None:
    call = Call(body=enrolment(port.enrolment_code))
    assert port.ask(ENROL, call).status == 200

    with port.unchanged():
        answer = port.ask(ENROL, call)

    require_problem(answer, REJECTED)


@pytest.mark.parametrize(
    "code", ["x" * 8, "x" * 128, "\0" * 8, "\u202e" * 8, "../../../..", "e\u0301" * 60]
)
def test_a_code_of_nobody_enrols_nobody(port: Port, code: str) -> None:
    with port.unchanged():
        answer = port.ask(ENROL, Call(body=enrolment(code)))

    require_problem(answer, REJECTED)


def test_an_operators_code_enrols_no_host_and_a_hosts_code_makes_no_operator(port: Port) -> None:
    body = {"code": port.enrolment_code, "email": "op@example.com", "password": "x1y2z3 x1y2z3"}

    with port.unchanged():
        host = port.ask(ENROL, Call(body=enrolment(port.operator_code)))
        operator = port.ask("POST /v1/auth/operator", Call(body=body))

    require_problem(host, REJECTED)
    require_problem(operator, REJECTED)
