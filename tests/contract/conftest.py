"""Every channel's counter, one after the other."""

from collections.abc import Iterator

import pytest

from tests.fixtures.channels import NAMES, Counter, counter


@pytest.fixture(params=NAMES)
def shop(request, tmp_path) -> Iterator[Counter]:
    with counter(request.param, tmp_path) as made:
        yield made
