"""An agent dies and comes back: what it still holds is its own, and everything else is not."""

from tests.fixtures.harbour import Harbour


def test_a_restarted_agent_adopts_what_it_holds_and_it_is_charged_once(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    job = customer.submit()
    grant = agent.take()
    agent.begin(grant)
    harbour.clock.pass_(seconds=4)

    agent.start()
    assert agent.wishes() == {job["id"]: None}
    harbour.clock.pass_(seconds=5)
    agent.ship(grant, "all of it\n")
    assert agent.end(grant, seconds=9) == "accepted"
    assert agent.end(grant, seconds=9) == "repeated"

    shown = customer.job(job)
    assert (shown["status"], shown["attempt"], shown["cost_fen"]) == ("succeeded", 1, 9)
    assert customer.log(job) == "all of it\n"
    assert customer.ledger() == [("topup", 1000), ("use", -9)]


def test_what_a_restarted_agent_no_longer_has_is_tried_again_free(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    job = customer.submit()
    first = agent.take()
    agent.begin(first)

    agent.held.clear()
    agent.start()

    shown = customer.job(job)
    assert (shown["status"], shown["attempt"]) == ("queued", 2)
    assert agent.end(first, seconds=5) == "stale_claim"
    agent.run(agent.take(), seconds=2)
    assert customer.ledger() == [("topup", 1000), ("use", 0), ("use", -2)]


def test_a_claim_whose_answer_was_lost_is_given_again_to_the_same_boot_only(
    harbour: Harbour,
) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    job = customer.submit()
    (bell,) = agent.bells()
    (lost,) = agent.claim(bell)["grants"]
    agent.held.clear()

    (again,) = agent.claim(bell)["grants"]
    agent.held.clear()
    agent.start()
    (anew,) = agent.claim(bell)["grants"]

    assert again == lost
    assert (anew["attempt"], customer.job(job)["attempt"]) == (2, 2)


def test_a_second_agent_with_the_same_token_fences_the_first(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    customer.submit()
    grant = agent.take()
    agent.begin(grant)
    first_boot = agent.boot

    agent.start()
    fenced = agent.ask("assignments", {"boot": first_boot})

    assert (fenced.status, fenced.code) == (409, "stale_boot")
    assert agent.end(grant, seconds=1) == "accepted"
