"""Top up, run a job, read its log, and be charged to the fen."""

from tests.fixtures.harbour import HOLD_FEN, SPEC, Harbour


def test_a_customer_pays_first_runs_a_job_and_is_charged_for_what_it_used(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    assert customer.money() == (0, 0)

    customer.top_up(1000)
    assert customer.money() == (1000, 0)

    job = customer.submit()
    assert (job["status"], job["hold_fen"]) == ("queued", HOLD_FEN)
    assert customer.job(job)["waiting_for"]["reason"] == "host"
    assert customer.money() == (1000 - HOLD_FEN, HOLD_FEN)

    grant = agent.take()
    assert (grant["job"], grant["spec"]["command"]) == (job["id"], SPEC["command"])
    agent.begin(grant)
    assert customer.job(job)["status"] == "running"

    harbour.clock.pass_(seconds=7)
    agent.ship(grant, "hello\n")
    assert agent.end(grant, seconds=7) == "accepted"

    ended = customer.job(job)
    assert (ended["status"], ended["is_terminal"], ended["exit_code"], ended["cost_fen"]) == (
        "succeeded", True, 0, 7,
    )  # fmt: skip
    assert customer.log(job) == "hello\n"
    assert customer.get(f"/v1/jobs/{job['id']}/logs")["complete"]
    assert customer.money() == (993, 0)
    assert customer.ledger() == [("topup", 1000), ("use", -7)]
    [line] = customer.get(f"/v1/usage/jobs/{job['id']}")["lines"]
    [day] = customer.get("/v1/usage")["items"]
    assert (line["charged_seconds"], line["amount_fen"]) == (7, 7)
    assert (day["jobs"], day["vcpu_ms"], day["amount_fen"]) == (1, 7000, 7)
    assert customer.news(job) == [
        "job.queued", "attempt.claimed", "attempt.preparing", "attempt.starting",
        "attempt.running", "job.succeeded",
    ]  # fmt: skip


def test_without_money_there_is_no_job_and_the_way_to_money_is_shown(harbour: Harbour) -> None:
    customer = harbour.customer()
    customer.top_up(100)
    customer.submit()

    refused = customer("POST", "/v1/jobs", SPEC)

    assert (refused.status, refused.code) == (402, "insufficient_funds")
    assert (refused.json["required_fen"], refused.json["available_fen"]) == (HOLD_FEN, 40)
    assert refused.json["topup_url"].startswith("http")
    assert customer.money() == (40, HOLD_FEN)


def test_a_price_asked_for_is_the_price_that_is_held(harbour: Harbour) -> None:
    customer = harbour.customer()
    customer.top_up(1000)

    price = customer("POST", "/v1/quota/check", SPEC).json
    job = customer.submit()

    assert (price["hold_fen"], price["sufficient"]) == (job["hold_fen"], True)
    assert customer.ledger() == [("topup", 1000)]
