"""The sweep function: a schedule without a route, once here, again and again on AWS."""

from dataclasses import replace

import pytest

from functions.sweep import app as sweep
from tests.fixtures import edge
from tests.fixtures.harbour import Agent, Harbour, Person
from wharfage.adapters.embedded import memory_store
from wharfage.wiring import Wired


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(sweep.app, "pause", found.append)
    return found


def on_aws(harbour: Harbour) -> None:
    """Bind the function to the settings of a stage that is not of one machine."""
    settings = replace(edge.settings(), stage="prod")
    sweep.app.bind(Wired(settings=settings, ports=harbour.ports))


def test_it_has_a_schedule_and_no_route() -> None:
    assert sweep.app.routes == {}
    assert callable(sweep.run)


def test_a_run_moves_on_what_is_due(customer: Person, pauses: list[float]) -> None:
    job = customer.submit(queue_ttl_s=30)
    customer.harbour.clock.pass_(seconds=30)

    sweep.run({}, None)

    assert customer.job(job)["status"] == "expired"
    assert customer.money() == (1000, 0)


def test_on_one_machine_a_run_sweeps_once(
    customer: Person, host: Agent, pauses: list[float]
) -> None:
    customer.submit()
    host.take()
    host.beat()

    sweep.run({}, None)

    assert pauses == []


def test_on_aws_a_run_sweeps_every_ten_seconds_while_a_host_holds_work(
    customer: Person, host: Agent, pauses: list[float]
) -> None:
    customer.submit()
    host.take()
    host.beat()
    on_aws(customer.harbour)

    sweep.run({}, None)

    assert pauses == [sweep.EVERY_SECONDS] * 4


def test_on_aws_a_run_with_nothing_to_watch_sweeps_once(host: Agent, pauses: list[float]) -> None:
    on_aws(host.harbour)

    sweep.run({}, None)

    assert pauses == []


def test_a_run_that_cannot_read_the_store_fails_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    harbour = Harbour(memory_store())

    def away(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(harbour.ports.store, "get", away)
    with pytest.raises(ConnectionError):
        sweep.run({}, None)

    assert "schedule failed" in caplog.text


def test_one_bad_item_does_not_stop_the_rest(
    customer: Person, operator: Person, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, url = customer.open_order(500)
    job = customer.submit(queue_ttl_s=30)
    customer.harbour.till.pay(url)
    customer.harbour.clock.pass_(seconds=30)

    def away(order: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(customer.harbour.till, "query", away)
        sweep.run({}, None)
    bad = customer.money()
    customer.harbour.clock.pass_(seconds=60)
    sweep.run({}, None)

    assert customer.job(job)["status"] == "expired"
    assert (bad, customer.money()) == ((1000, 0), (1500, 0))
