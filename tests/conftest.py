"""What all tests share: what is live by its place, and generated cases that no clock judges."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

from wharfage.adapters.sqlite import SqliteRows
from wharfage.adapters.store import RecordStore

TESTS = Path(__file__).parent
LIVE = (TESTS / "live", TESTS / "chaos")

for asks_for_whole_differences in ("CI", "BUILD_NUMBER"):  # Of 300,000 bytes that takes hours.
    os.environ.pop(asks_for_whole_differences, None)

settings.register_profile("wharfage", deadline=None)  # A busy machine is no mistake.
settings.load_profile("wharfage")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in LIVE):
            item.add_marker(pytest.mark.live)


@pytest.fixture
def store_in_file(tmp_path: Path) -> Iterator[RecordStore]:
    """Give an empty store in a file, which is closed after the test."""
    with closing(SqliteRows(tmp_path / "store.db")) as rows:
        yield RecordStore(rows, pause=time.sleep, chance=random.random)
