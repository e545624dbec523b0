"""The product to call, function by function: in memory, with one customer, operator and host."""

from collections.abc import Iterator

import pytest

from tests.fixtures.harbour import Agent, Harbour, Person
from tests.fixtures.port import APPS, Port
from wharfage.adapters.embedded import memory_store
from wharfage.web.waiting import WaitingRoom


@pytest.fixture
def harbour() -> Harbour:
    return Harbour(memory_store())


@pytest.fixture
def customer(harbour: Harbour) -> Person:
    found = harbour.customer()
    found.top_up(1000)
    return found


@pytest.fixture
def operator(harbour: Harbour) -> Person:
    return harbour.operator()


@pytest.fixture
def host(operator: Person) -> Agent:
    return operator.host()


@pytest.fixture(scope="session")
def whole_port() -> Port:
    return Port()


@pytest.fixture
def port(whole_port: Port, monkeypatch: pytest.MonkeyPatch) -> Iterator[Port]:
    """Give the busy port, which nobody leaves changed and nobody waits in."""
    whole_port.bind()
    for app in APPS:
        monkeypatch.setattr(app, "_room", WaitingRoom(pause=lambda seconds: None))
    yield whole_port
    whole_port.put_back()
