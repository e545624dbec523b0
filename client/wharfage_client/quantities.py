"""Quantities as they are typed: CPUs, memory, times, names with values; read strictly."""

import re

_CPUS = re.compile(r"(0|[1-9][0-9]{0,3})(?:\.([0-9]{1,3}))?", re.ASCII)
_MILLIS = re.compile(r"([1-9][0-9]{0,6})m", re.ASCII)
_MEMORY = re.compile(r"([1-9][0-9]{0,6})(m|g)(?:i?b)?", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s?)?", re.ASCII)
_UNIT_SECONDS = (86_400, 3_600, 60, 1)


def cpu_millis(text: str) -> int:
    """Read `2`, `0.5` or `500m` as thousandths of a CPU. Raises: ValueError."""
    if match := _MILLIS.fullmatch(text):
        return int(match[1])
    match = _CPUS.fullmatch(text)
    if match is None:
        raise ValueError(text)
    whole, part = match.groups(default="")
    millis = int(whole) * 1000 + int(part.ljust(3, "0"))
    if millis == 0:
        raise ValueError(text)
    return millis


def memory_mb(text: str) -> int:
    """Read `512m` or `2g` as MiB; a number alone could mean anything. Raises: ValueError."""
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * (1024 if match[2].lower() == "g" else 1)


def seconds(text: str) -> int:
    """Read `90`, `90s`, `10m`, `1h30m` or `2d` as seconds. Raises: ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(text)
    parts = [int(part or 0) for part in match.groups()]
    total = sum(part * unit for part, unit in zip(parts, _UNIT_SECONDS, strict=True))
    if total == 0:
        raise ValueError(text)
    return total


def named_value(text: str) -> tuple[str, str]:
    """Read `NAME=VALUE`; the value may be empty and hold more signs. Raises: ValueError."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ValueError(text)
    return name, value


def duration(value: float) -> str:
    """Write seconds for people: `0.4s`, `12s`, `3m05s`, `2h07m`."""
    if value < 10:
        return f"{value:.1f}s"
    whole = int(value)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
