"""Journeys take place in memory; tests/live takes them again on a real DynamoDB."""

import pytest

from tests.fixtures.harbour import Harbour
from wharfage.adapters.embedded import memory_store
from wharfage.ports import Store


@pytest.fixture
def journey_store() -> Store:
    return memory_store()


@pytest.fixture
def harbour(journey_store: Store) -> Harbour:
    return Harbour(journey_store)
