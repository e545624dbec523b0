"""The queue loses everything it is given: every job still ends."""

from tests.fixtures.harbour import Harbour


def test_with_all_doorbells_lost_every_job_still_ends(harbour: Harbour) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    jobs = [customer.submit() for _ in range(6)]
    harbour.queue.rung.clear()

    while any(not customer.job(job)["is_terminal"] for job in jobs):
        harbour.live(5, agent)
        bells = agent.bells()
        assert bells, "jobs wait, a host is free, and nobody rings"
        for grant in agent.claim(bells[0])["grants"]:
            agent.run(grant, seconds=1)

    assert {customer.job(job)["status"] for job in jobs} == {"succeeded"}
    assert customer.money() == (1000 - 6, 0)


def test_with_every_bell_and_every_repeat_lost_the_next_claim_finds_the_work(
    harbour: Harbour,
) -> None:
    customer, agent = harbour.customer(), harbour.operator().host()
    customer.top_up(1000)
    jobs = [customer.submit() for _ in range(6)]
    harbour.queue.rung.clear()

    first = agent.claim()
    assert (len(first["grants"]), first["more"]) == (4, True)
    for grant in first["grants"]:
        agent.run(grant, seconds=1)
    for grant in agent.claim()["grants"]:
        agent.run(grant, seconds=1)

    assert {customer.job(job)["status"] for job in jobs} == {"succeeded"}


def test_a_job_no_host_ever_takes_expires_and_its_money_comes_back(harbour: Harbour) -> None:
    customer = harbour.customer()
    customer.top_up(1000)
    job = customer.submit(queue_ttl_s=60)
    assert customer.job(job)["waiting_for"]["reason"] == "no_matching_host"

    harbour.live(60)

    shown = customer.job(job)
    assert (shown["status"], shown["reason_code"]) == ("expired", "queue_ttl")
    assert (customer.money(), customer.ledger()) == ((1000, 0), [("topup", 1000)])


def test_a_doorbell_that_comes_twice_or_late_is_answered_and_does_nothing(
    harbour: Harbour,
) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    agent, other = operator.host(), operator.host()
    customer.top_up(1000)
    customer.submit()
    (bell,) = agent.bells()
    (grant,) = agent.claim(bell)["grants"]

    same, elsewhere = agent.claim(bell), other.claim(bell)
    agent.run(grant)
    late = other.claim(bell)

    assert same["grants"] == [grant]
    assert [each["outcome"] for each in elsewhere["declined"]] == ["taken"]
    assert [each["outcome"] for each in late["declined"]] == ["gone"]
    assert customer.money() == (1000 - 5, 0)
