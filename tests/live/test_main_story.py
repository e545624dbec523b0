"""The main story through HTTP, a real engine and a real registry, on both stores."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.stack import Caller, RunningStack, operator, running


@pytest.fixture(scope="module", params=["embedded", "dynamodb"])
def stack(
    request: pytest.FixtureRequest, engine_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningStack]:
    options: tuple[str, ...] = ("--store", request.param)
    if request.param == "dynamodb":
        options += ("--endpoint", request.getfixturevalue("dynamodb_endpoint"))
    home = tmp_path_factory.mktemp(request.param)
    with running(home, engine_url, *options) as found:
        yield found


@pytest.fixture
def customer(stack: RunningStack) -> Caller:
    return Caller(url=stack.url).sign_up()


@pytest.mark.parametrize("pulled", [False, True])
def test_a_customer_pays_runs_a_container_reads_its_log_and_is_charged_to_the_fen(
    stack: RunningStack, customer: Caller, pulled: bool
) -> None:
    customer.top_up(1000)

    job = customer.submit(
        stack.images[pulled], "sh", "-c", "echo out; echo err >&2; sleep 1; exit 3"
    )
    ended = customer.wait(job)

    assert (ended["status"], ended["exit_code"]) == ("failed", 3)
    assert ended["reason_code"] == "exit_code"
    assert (customer.log(job), customer.log(job, "stderr")) == (b"out\n", b"err\n")
    assert ended["cost_fen"] > 0
    assert customer.quota().items() >= {
        "available_fen": 1000 - ended["cost_fen"], "held_fen": 0, "debt_fen": 0, "state": "active",
    }.items()  # fmt: skip
    assert customer.adds_up()


def test_fifty_parallel_submits_with_one_key_give_one_job_and_one_hold(
    stack: RunningStack, customer: Caller
) -> None:
    customer.top_up(1000)
    body = {"image": stack.images[0], "command": ["sleep", "5"], "max_run_s": 60}

    with ThreadPoolExecutor(25) as pool:
        answers = list(
            pool.map(lambda _: customer.ask_until_heard("/v1/jobs", body, key="once"), range(50))
        )

    assert {answer.status for answer in answers} == {202}
    assert len({answer.body["id"] for answer in answers}) == 1
    replayed = [answer.headers.get("idempotency-replayed") for answer in answers]
    assert replayed.count("true") == 49
    assert customer.quota()["held_fen"] == answers[0].body["hold_fen"]


def test_a_hundred_parallel_submits_with_money_for_three_give_exactly_three(
    stack: RunningStack, customer: Caller
) -> None:
    body: dict[str, Any] = {"image": stack.images[0], "command": ["true"], "max_run_s": 7200}
    body["labels"] = {"no": "where"}  # So that none ends meanwhile and gives its hold back.
    quote = customer.post("/v1/quota/check", body)
    customer.top_up(3 * quote["hold_fen"] + quote["hold_fen"] - 1)

    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda n: customer.ask_until_heard("/v1/jobs", body, key=f"n{n}"), range(100))
        )

    statuses = [answer.status for answer in answers]
    assert statuses.count(202) == 3
    assert statuses.count(402) == 97


def test_cancel_ends_a_running_container_within_its_grace(
    stack: RunningStack, customer: Caller
) -> None:
    customer.top_up(1000)
    job = customer.submit(stack.images[0], "sleep", "600", stop_grace_s=2)
    customer.wait(job, status="running")

    customer.post(f"/v1/jobs/{job['id']}/cancel")
    ended = customer.wait(job, seconds=20)

    assert (ended["status"], ended["reason_code"]) == ("cancelled", "cancelled")
    assert customer.quota()["held_fen"] == 0
    assert customer.adds_up()


def test_a_job_over_its_limit_times_out_and_one_without_memory_says_so(
    stack: RunningStack, customer: Caller
) -> None:
    customer.top_up(1000)

    slow = customer.submit(stack.images[0], "sleep", "600", max_run_s=2, stop_grace_s=1)
    greedy = customer.submit(
        stack.images[0],
        *("sh", "-c", "x=0123456789; while true; do x=$x$x; done"),
        resources={"cpu_millis": 500, "memory_mb": 16, "disk_mb": 10},
    )

    assert customer.wait(slow)["status"] == "timed_out"
    killed = customer.wait(greedy)
    assert (killed["status"], killed["reason_code"]) == ("failed", "out_of_memory")


def test_a_ban_bites_at_once_stops_the_work_and_leaves_the_money(stack: RunningStack) -> None:
    admin = _operator(stack)
    customer = Caller(url=stack.url).sign_up()
    customer.top_up(1000)
    job = customer.submit(stack.images[0], "sleep", "600", stop_grace_s=1)
    customer.wait(job, status="running")
    (account,) = admin.get(f"/v1/admin/users?email={customer.email}")["items"]

    admin.post(f"/v1/admin/users/{account['id']}/ban")
    refused = customer.ask("GET", "/v1/quota")
    admin.post(f"/v1/admin/users/{account['id']}/unban")

    assert refused.status in (401, 403)
    customer.sign_in()
    ended = customer.wait(job, seconds=20)
    assert (ended["status"], ended["reason_code"]) == ("cancelled", "account_stopped")
    assert customer.adds_up()
    assert customer.quota()["available_fen"] == 1000 - ended["cost_fen"]


def _operator(stack: RunningStack) -> Caller:
    """Be the one operator, made once for each stack."""
    kept: Path = stack.home / "operator-email"
    if kept.exists():
        return Caller(url=stack.url, email=kept.read_text()).sign_in()
    made = operator(stack)
    kept.write_text(made.email)
    return made
