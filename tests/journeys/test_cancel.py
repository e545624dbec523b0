"""A customer cancels, at each stage: the hold comes back, and only what ran is paid."""

import pytest

from tests.fixtures.harbour import HOLD_FEN, Harbour
from wharfage.domain import limits


def test_a_job_in_the_queue_is_cancelled_at_once(harbour: Harbour) -> None:
    customer = harbour.customer()
    customer.top_up(1000)
    job = customer.submit()

    assert customer.cancel(job)["status"] == "cancelled"

    assert customer.money() == (1000, 0)
    agent = harbour.operator().host()
    (declined,) = agent.claim(*agent.bells())["declined"]
    assert declined["outcome"] == "gone"


def test_a_job_in_its_back_off_is_cancelled_at_once(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    job = customer.submit(retry={"max_attempts": 2, "backoff_base_s": 60})
    agent.run(agent.take(), seconds=5, exit_code=1)

    assert customer.cancel(job)["status"] == "cancelled"

    assert customer.money() == (995, 0)
    harbour.live(65, agent)
    assert customer.job(job)["status"] == "cancelled"


@pytest.mark.parametrize("stage", ["claimed", "preparing", "starting"])
def test_a_job_on_its_way_is_cancelled_by_its_host_and_costs_nothing(
    harbour: Harbour, stage: str
) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    job = customer.submit()
    grant = agent.take()
    if stage != "claimed":
        agent.report(grant, stage, seq=1)

    assert customer.cancel(job)["status"] == "stopping"
    assert agent.wishes() == {job["id"]: "cancel"}
    agent.held.clear()
    assert agent.report(grant, "cancelled", seq=2, stop_reason="cancel") == "accepted"

    shown = customer.job(job)
    assert (shown["status"], shown["reason_code"]) == ("cancelled", "cancelled")
    assert customer.money() == (1000, 0)


def test_a_running_job_is_cancelled_and_what_ran_is_paid(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    job = customer.submit()
    grant = agent.take()
    agent.begin(grant)
    harbour.clock.pass_(seconds=8)

    assert customer.cancel(job)["status"] == customer.cancel(job)["status"] == "stopping"
    assert agent.beat()["wanted"] == 1
    assert agent.report(grant, "stopping", seq=4) == "accepted"
    agent.held.clear()
    ended = agent.report(
        grant, "cancelled", seq=5, stop_reason="cancel", exit_code=143, signal=15,
        started=True, run_ms=8000,
    )  # fmt: skip

    shown = customer.job(job)
    assert ended == "accepted"
    assert (shown["status"], shown["signal"], shown["cost_fen"]) == ("cancelled", 15, 8)
    assert customer.money() == (992, 0)


def test_a_job_that_ended_before_the_stop_reached_it_keeps_its_own_end(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    job = customer.submit()
    grant = agent.take()
    agent.begin(grant)
    harbour.clock.pass_(seconds=3)

    customer.cancel(job)
    assert agent.end(grant, seconds=3) == "accepted"

    assert customer.job(job)["status"] == "succeeded"
    assert customer.cancel(job)["status"] == "succeeded"
    assert customer.money() == (997, 0)


def test_a_cancelled_job_whose_host_never_answers_is_ended_and_free(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    job = customer.submit()
    agent.begin(agent.take())

    customer.cancel(job)
    assert customer.money() == (1000 - HOLD_FEN, HOLD_FEN)
    harbour.live(10 + 2 * limits.CONTROL_GRACE_SECONDS, agent)

    assert customer.job(job)["status"] == "cancelled"
    assert customer.money() == (1000, 0)
