"""The jobs function, through the edge: statuses, problems, keys, cursors, waits, tenants."""

from contextvars import copy_context
from typing import Any

import pytest

from functions.jobs.app import app
from tests.fixtures.harbour import HOLD_FEN, SPEC, Agent, Harbour, Person
from wharfage.domain import limits, rate
from wharfage.operations import rates
from wharfage.web.waiting import WaitingRoom

BY_ID = ["", "/attempts", "/events", "/logs"]


def faults(answer: Any) -> list[tuple[str, str]]:
    return [(each["pointer"], each["code"]) for each in answer.json["errors"]]


def test_a_submit_is_accepted_and_says_where_and_when_to_look(customer: Person) -> None:
    answer = customer("POST", "/v1/jobs", SPEC)

    assert answer.status == 202
    assert answer.headers["location"] == f"/v1/jobs/{answer.json['id']}"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["etag"] == '"1"'
    assert "idempotency-replayed" not in answer.headers
    assert customer.get(answer.headers["location"])["id"] == answer.json["id"]


def test_a_submit_again_with_its_key_is_the_same_job_and_one_hold(customer: Person) -> None:
    first = customer("POST", "/v1/jobs", SPEC, key="k")
    again = customer("POST", "/v1/jobs", dict(reversed(SPEC.items())), key="k")

    assert (again.status, again.json["id"]) == (202, first.json["id"])
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert customer.money() == (1000 - HOLD_FEN, HOLD_FEN)


def test_a_key_used_for_another_body_is_refused(customer: Person) -> None:
    customer("POST", "/v1/jobs", SPEC, key="k")

    answer = customer("POST", "/v1/jobs", SPEC | {"max_run_s": 51}, key="k")

    assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert customer.money() == (1000 - HOLD_FEN, HOLD_FEN)


def test_a_key_is_its_owners_alone(harbour: Harbour, customer: Person) -> None:
    other = harbour.customer()
    other.top_up(1000)

    first = customer("POST", "/v1/jobs", SPEC, key="k")
    second = other("POST", "/v1/jobs", SPEC, key="k")

    assert (first.status, second.status) == (202, 202)
    assert first.json["id"] != second.json["id"]


def test_a_key_of_a_refused_submit_is_free_again(harbour: Harbour) -> None:
    poor = harbour.customer()
    refused = poor("POST", "/v1/jobs", SPEC, key="k")
    poor.top_up(100)

    answer = poor("POST", "/v1/jobs", SPEC, key="k")

    assert (refused.status, answer.status) == (402, 202)
    assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize(
    "key",
    ["a" * (limits.IDEMPOTENCY_KEY_CHARACTERS_MAX + 1), "\u00e9", "a\nb", "\x7f"],
)
def test_a_key_that_cannot_be_kept_is_malformed(customer: Person, key: str) -> None:
    answer = customer("POST", "/v1/jobs", SPEC, key=key)

    assert (answer.status, faults(answer)) == (400, [("Idempotency-Key", "pattern")])


def test_a_submit_without_a_key_is_malformed(harbour: Harbour, customer: Person) -> None:
    token = customer.tokens["access_token"]

    answer = harbour("POST", "/v1/jobs", SPEC, token=token)

    assert (answer.status, faults(answer)) == (400, [("Idempotency-Key", "missing_field")])


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"privileged": True}, "/privileged", "unknown_field"),
        ({"resources": {"devices": []}}, "/resources/devices", "unknown_field"),
        ({"max_run_s": -1}, "/max_run_s", "range"),
        ({"max_run_s": 0}, "/max_run_s", "range"),
        ({"max_run_s": 0.1}, "/max_run_s", "type"),
        ({"max_run_s": "10"}, "/max_run_s", "type"),
        ({"max_run_s": True}, "/max_run_s", "type"),
        ({"max_run_s": 2**63}, "/max_run_s", "range"),
        ({"max_run_s": 10**38}, "/max_run_s", "range"),
        ({"image": ""}, "/image", "length"),
        ({"image": "-v"}, "/image", "image_reference"),
        ({"image": "evil.example/a"}, "/image", "registry_not_allowed"),
        ({"env": {"A\n": "x"}}, "/env", "pattern"),
        ({"env": {"A": "\0"}}, "/env/A", "text"),
        ({"network": "host"}, "/network", "unknown_value"),
        ({"max_cost_fen": 1, "stop_grace_s": 300}, "/max_cost_fen", "too_small"),
    ],
)
def test_what_is_not_acceptable_is_named_by_its_place(
    customer: Person, changes: dict[str, Any], pointer: str, code: str
) -> None:
    answer = customer("POST", "/v1/jobs", SPEC | changes)

    assert answer.status == 422
    (found,) = faults(answer)
    assert (found[0].startswith(pointer), found[1]) == (True, code)
    assert customer.money() == (1000, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"image": "a"} x',
        b"\xef\xbb\xbf{}",
        b"\xff",
        b'{"image": "a", "image": "b"}',
        b'{"image": "a", "max_run_s": NaN}',
        b'{"image": "\\ud800"}',
        b"[" * 10_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_is_malformed(customer: Person, raw: bytes) -> None:
    token = customer.tokens["access_token"]
    headers = {"Idempotency-Key": "k", "content-type": "application/json"}

    answer = customer.harbour("POST", "/v1/jobs", raw=raw, headers=headers, token=token)

    assert (answer.status, answer.code) in [(400, "malformed"), (422, "invalid")]
    assert customer.money() == (1000, 0)


def test_a_body_over_the_limit_is_refused_as_too_large(customer: Person) -> None:
    token = customer.tokens["access_token"]
    headers = {"Idempotency-Key": "k", "content-type": "application/json"}
    raw = b'{"image":"a"}'.ljust(limits.BODY_BYTES_MAX + 1)

    over = customer.harbour("POST", "/v1/jobs", raw=raw, headers=headers, token=token)
    at = customer.harbour("POST", "/v1/jobs", raw=raw[:-1], headers=headers, token=token)

    assert (over.status, over.code) == (413, "too_large")
    assert over.json["limit_bytes"] == limits.BODY_BYTES_MAX
    assert (at.status, faults(at)) == (422, [("/image", "registry_not_allowed")])


def test_a_pool_that_is_not_there_or_not_granted_is_refused(customer: Person) -> None:
    answer = customer("POST", "/v1/jobs", SPEC | {"pool": "gpu"})

    assert (answer.status, answer.code, answer.json["pool"]) == (422, "pool_unknown", "gpu")


def test_submits_are_limited_in_a_minute_and_say_when_to_come_back(customer: Person) -> None:
    most = limits.SUBMITS_PER_MINUTE
    for _ in range(most - 1):
        rates.take(customer.harbour.ports, rate.SUBMITS, customer.account)
    assert customer("POST", "/v1/jobs", SPEC).status == 202

    answer = customer("POST", "/v1/jobs", SPEC)

    assert (answer.status, answer.code) == (429, "rate_limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.json["limit"] == most


def test_a_problem_says_what_failed_and_nothing_internal(harbour: Harbour) -> None:
    poor = harbour.customer()

    answer = poor("POST", "/v1/jobs", SPEC)

    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json) == {
        "type", "title", "status", "detail", "code", "request_id", "required_fen",
        "available_fen", "topup_url",
    }  # fmt: skip


def test_jobs_are_listed_newest_first_and_page_by_page(customer: Person) -> None:
    made = [customer.submit()["id"] for _ in range(5)]

    first = customer.get("/v1/jobs?limit=2")
    second = customer.get(f"/v1/jobs?limit=2&cursor={first['next_cursor']}")
    third = customer.get(f"/v1/jobs?limit=2&cursor={second['next_cursor']}")

    found = [job["id"] for page in (first, second, third) for job in page["items"]]
    assert found == made[::-1]
    assert third["next_cursor"] is None


def test_a_cursor_is_good_for_its_own_list_and_account_only(
    harbour: Harbour, customer: Person
) -> None:
    job, *_ = [customer.submit() for _ in range(3)]
    other = harbour.customer()
    cursor = customer.get("/v1/jobs?limit=1")["next_cursor"]
    edited = ("A" if cursor[0] != "A" else "B") + cursor[1:]

    refused = [
        other("GET", f"/v1/jobs?cursor={cursor}"),
        customer("GET", f"/v1/jobs/{job['id']}/events?cursor={cursor}"),
        customer("GET", f"/v1/jobs?cursor={edited}"),
        customer("GET", f"/v1/jobs?cursor={cursor}x"),
        customer("GET", "/v1/jobs?cursor="),
        customer("GET", "/v1/jobs?cursor=job_1"),
    ]

    assert [(answer.status, faults(answer)) for answer in refused] == [
        (422, [("?cursor", "cursor")])
    ] * len(refused)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=1", 200), ("limit=100", 200), ("limit=0", 422), ("limit=101", 422),
        ("limit=-1", 422), ("limit=1e9", 422), ("limit=x", 422), ("limit=", 422),
        ("limit=1&limit=2", 400), ("page=1", 422),
    ],
)  # fmt: skip
def test_a_list_has_a_page_of_one_to_a_hundred(customer: Person, query: str, status: int) -> None:
    assert customer("GET", f"/v1/jobs?{query}").status == status


@pytest.mark.parametrize("part", BY_ID)
def test_another_tenants_job_is_not_there(harbour: Harbour, customer: Person, part: str) -> None:
    job = customer.submit()
    other = harbour.customer()

    theirs = other("GET", f"/v1/jobs/{job['id']}{part}")
    unknown = other("GET", f"/v1/jobs/job_0{part}")

    assert (theirs.status, theirs.code) == (404, "not_found")
    same = {"title", "status", "detail", "code", "what"}
    assert {name: theirs.json[name] for name in same} == {name: unknown.json[name] for name in same}


def test_another_tenants_job_cannot_be_cancelled(harbour: Harbour, customer: Person) -> None:
    job = customer.submit()

    answer = harbour.customer()("POST", f"/v1/jobs/{job['id']}/cancel")

    assert answer.status == 404
    assert customer.job(job)["status"] == "queued"


def test_the_operator_has_no_window_into_a_customers_jobs(
    customer: Person, operator: Person
) -> None:
    job = customer.submit()

    assert operator("GET", f"/v1/jobs/{job['id']}").status == 404


@pytest.mark.parametrize("name", ["..", "%2e%2e", "%00", "usr_1", "a" * 200, "job_%0a", "balance"])
def test_an_id_that_cannot_be_one_is_not_there(customer: Person, name: str) -> None:
    assert customer("GET", f"/v1/jobs/{name}").status == 404


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("POST", "/v1/jobs/job_1/cancel")]
    + [("GET", f"/v1/jobs/job_1{part}") for part in BY_ID],
)
def test_nobody_gets_in_without_a_session(
    harbour: Harbour, host: Agent, method: str, target: str
) -> None:
    for token in (None, "x", host.token):
        answer = harbour(method, target, headers={"Idempotency-Key": "k"}, token=token)

        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_cancel_answers_202_and_a_repeat_agrees(customer: Person) -> None:
    job = customer.submit()

    answers = [customer("POST", f"/v1/jobs/{job['id']}/cancel") for _ in range(2)]

    assert [(each.status, each.json["status"]) for each in answers] == [(202, "cancelled")] * 2
    assert customer.money() == (1000, 0)


def test_attempts_events_and_logs_are_shown(customer: Person, host: Agent) -> None:
    job = customer.submit()
    grant = host.take()
    host.begin(grant)
    live = customer.get(f"/v1/jobs/{job['id']}/attempts")["items"]
    customer.harbour.clock.pass_(seconds=5)
    host.ship(grant, "hello\n")
    host.end(grant, seconds=5)

    (ended,) = customer.get(f"/v1/jobs/{job['id']}/attempts")["items"]
    events = customer.get(f"/v1/jobs/{job['id']}/events?limit=2")
    rest = customer.get(f"/v1/jobs/{job['id']}/events?cursor={events['next_cursor']}")

    assert [(each["status"], each["is_terminal"]) for each in live] == [("running", False)]
    assert (ended["status"], ended["run_seconds"], ended["cost_fen"]) == ("succeeded", 5, 5)
    assert len(events["items"]) == 2
    assert len(rest["items"]) == 4
    assert customer.log(job) == "hello\n"


def test_a_log_is_read_on_from_its_cursor_which_is_sealed(customer: Person, host: Agent) -> None:
    job, other = customer.submit(), customer.submit()
    for grant in host.claim(*host.bells())["grants"]:
        host.begin(grant)
        host.ship(grant, "hello\n")
    page = customer.get(f"/v1/jobs/{job['id']}/logs")

    rest = customer.get(f"/v1/jobs/{job['id']}/logs?cursor={page['next_cursor']}")
    elsewhere = customer("GET", f"/v1/jobs/{other['id']}/logs?cursor={page['next_cursor']}")
    plain = customer("GET", f"/v1/jobs/{job['id']}/logs?cursor=1.0.0")

    assert rest["items"] == []
    assert (elsewhere.status, plain.status) == (422, 422)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch, harbour: Harbour) -> list[float]:
    """Keep what the jobs function waits, instead of waiting."""
    found: list[float] = []
    monkeypatch.setattr(app, "_room", WaitingRoom(pause=found.append))
    return found


def test_a_wait_ends_when_its_time_is_over(customer: Person, pauses: list[float]) -> None:
    job = customer.submit()

    answer = customer("GET", f"/v1/jobs/{job['id']}?wait=20")

    assert (answer.status, answer.json["status"]) == (200, "queued")
    assert sum(pauses) == pytest.approx(20)


def test_a_wait_ends_with_the_first_change(
    customer: Person, host: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = customer.submit()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            copy_context().run(host.take)  # Another request, in a context of its own.

    monkeypatch.setattr(app, "_room", WaitingRoom(pause=pause))
    answer = customer("GET", f"/v1/jobs/{job['id']}?wait=20")

    assert answer.json["status"] == "starting"
    assert len(pauses) == 2


def test_a_wait_for_what_has_changed_or_ended_already_is_none(
    customer: Person, pauses: list[float]
) -> None:
    job = customer.submit()
    known = customer("GET", f"/v1/jobs/{job['id']}?wait=20&version={job['version'] - 1}")
    customer.cancel(job)

    ended = customer("GET", f"/v1/jobs/{job['id']}?wait=20")

    assert (known.status, ended.json["status"], pauses) == (200, "cancelled", [])


@pytest.mark.parametrize("query", ["wait=-1", "wait=21", "wait=x", "wait=1.5", "version=x"])
def test_a_wait_is_short_and_a_number(customer: Person, query: str) -> None:
    job = customer.submit()

    assert customer("GET", f"/v1/jobs/{job['id']}?{query}").status == 422
