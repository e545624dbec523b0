"""Version numbers, compared by their parts."""

import re

_NUMBERS = re.compile(r"\d+", re.ASCII)
_PARTS = 3


def at_least_version(version: str, minimum: str) -> bool:
    """Tell whether *version* (such as `0.2.1`) is not below *minimum*; no number is below all."""
    return _parts(version) >= _parts(minimum)


def _parts(version: str) -> tuple[int, ...]:
    parts = [int(number) for number in _NUMBERS.findall(version)[:_PARTS]]
    # `1.0` is `1.0.0`; but what has no number at all stays below every version.
    return (*parts, *[0] * (_PARTS - len(parts))) if parts else ()
