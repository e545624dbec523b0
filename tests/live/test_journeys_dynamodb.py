"""Every journey again, with the same steps, on a DynamoDB instead of dictionaries."""

import random
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.fixtures import stores
from tests.journeys.conftest import harbour
from wharfage.adapters.store import RecordStore
from wharfage.ports import Store

__all__ = ["harbour"]

FOLDER = Path(__file__).resolve().parents[1] / "journeys"

for _file in sorted(FOLDER.glob("test_*.py")):
    for _name, _test in vars(import_module(f"tests.journeys.{_file.stem}")).items():
        if _name.startswith("test_"):
            assert _name not in globals(), f"two journeys are called {_name}"
            globals()[_name] = _test


@pytest.fixture
def journey_store(dynamodb_endpoint: str) -> Iterator[Store]:
    """Give a store in fresh tables: a journey has one operator, and counts all the money."""
    with stores.tables(dynamodb_endpoint) as rows:
        yield RecordStore(rows, pause=time.sleep, chance=random.random)
