"""Version numbers, compared by their parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage.domain.version import at_least_version

versions = st.lists(st.integers(0, 99), min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("version", "minimum", "enough"),
    [
        ("1.2.3", "1.2.3", True),
        ("1.2.4", "1.2.3", True),
        ("1.10.0", "1.9.9", True),
        ("2", "1.9.9", True),
        ("1.2.2", "1.2.3", False),
        ("0.9", "1", False),
        ("1.0", "1.0.0", True),
        ("1", "1.0.1", False),
        ("v1.2.3", "1.2.3", True),
        ("1.2.3+local.9", "1.2.3", True),
        ("", "0", False),
        ("latest", "0", False),
        ("", "", True),
    ],
)
def test_a_version_is_compared_part_by_part(version: str, minimum: str, enough: bool) -> None:
    assert at_least_version(version, minimum) is enough


@given(versions, versions)
def test_of_two_versions_one_at_least_is_enough_for_the_other(
    one: list[int], other: list[int]
) -> None:
    first, second = ".".join(map(str, one)), ".".join(map(str, other))

    both = at_least_version(first, second) and at_least_version(second, first)

    assert at_least_version(first, second) or at_least_version(second, first)
    assert both is ((*one, 0, 0)[:3] == (*other, 0, 0)[:3])
