"""A job that fails is tried again as its owner asked; each try has its line in the ledger."""

from tests.fixtures.harbour import HOLD_FEN, Harbour


def test_a_retry_and_then_a_success_are_two_lines_of_the_ledger(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    job = customer.submit(retry={"max_attempts": 3, "backoff_base_s": 30})

    agent.run(agent.take(), seconds=4, exit_code=75)

    shown = customer.job(job)
    assert (shown["status"], shown["waiting_for"]) == (
        "pending", {"reason": "backoff", "numbers": {"seconds": 30}},
    )  # fmt: skip
    assert customer.money() == (1000 - HOLD_FEN - 4, HOLD_FEN)

    harbour.live(30, agent)
    agent.run(agent.take(), seconds=6)

    shown = customer.job(job)
    assert (shown["status"], shown["attempt"], shown["cost_fen"]) == ("succeeded", 2, 10)
    assert customer.ledger() == [("topup", 1000), ("use", -4), ("use", -6)]
    assert customer.money() == (990, 0)


def test_a_retry_that_the_balance_does_not_pay_ends_the_job_from_its_hold(
    harbour: Harbour,
) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(100)
    job = customer.submit(
        max_run_s=90, stop_grace_s=10, retry={"max_attempts": 3, "backoff_base_s": 0}
    )

    agent.run(agent.take(), seconds=25, exit_code=1)

    shown = customer.job(job)
    assert (shown["status"], shown["reason_code"], shown["cost_fen"]) == ("failed", "funds", 25)
    assert customer.money() == (75, 0)
    assert customer.ledger() == [("topup", 100), ("use", -25)]


def test_a_pull_that_fails_for_our_sake_is_free_and_given_up_after_five(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    job = customer.submit()

    for _ in range(5):
        grant = agent.take()
        agent.held.clear()
        told = agent.report(grant, "failed", seq=2, reason_code="image_pull_failed")
        assert told == "accepted"

    shown = customer.job(job)
    assert (shown["status"], shown["reason_code"], shown["reason_class"]) == (
        "failed", "image_pull_failed", "platform",
    )  # fmt: skip
    assert customer.ledger() == [("topup", 1000)] + [("use", 0)] * 5
    assert customer.money() == (1000, 0)
