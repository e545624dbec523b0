"""Money, quantities and the QR code: exact in both directions."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage_client import qr
from wharfage_client.money import fen, yuan
from wharfage_client.quantities import cpu_millis, duration, memory_mb, named_value, seconds


@given(st.integers(min_value=1, max_value=99_999_999_999))
def test_money_that_is_written_is_read_back(amount: int):
    assert fen(yuan(amount).removeprefix("CNY ")) == amount


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "CNY 0.00"), (5, "CNY 0.05"), (1234, "CNY 12.34"), (-5, "CNY -0.05")]
)
def test_money_is_written_as_yuan(amount: int, text: str):
    assert yuan(amount) == text


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (cpu_millis, "0.5", 500), (cpu_millis, "2", 2000), (cpu_millis, "250m", 250),
        (cpu_millis, "0.125", 125), (memory_mb, "512m", 512), (memory_mb, "2G", 2048),
        (memory_mb, "1GiB", 1024), (seconds, "90", 90), (seconds, "10m", 600),
        (seconds, "1h30m", 5400), (seconds, "2d", 172_800), (named_value, "A=", ("A", "")),
        (named_value, "A=b=c", ("A", "b=c")),
    ],
)  # fmt: skip
def test_quantities_are_read(read: Callable[[str], object], text: str, value: object):
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (cpu_millis, "0"), (cpu_millis, "0.0001"), (cpu_millis, "1e3"), (cpu_millis, "-1"),
        (cpu_millis, "1.5m"), (memory_mb, "512"), (memory_mb, "0m"), (memory_mb, "1.5g"),
        (seconds, ""), (seconds, "0"), (seconds, "1m30h"), (seconds, "ten"), (named_value, "A"),
        (named_value, "=b"), (fen, "٣"), (fen, "1."), (fen, ".5"), (fen, "0.00"), (fen, "1\n"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_exactly_is_refused(read: Callable[[str], object], text: str):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        read(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.44, "0.4s"), (9.9, "9.9s"), (59.9, "59s"), (185, "3m05s"), (7620, "2h07m")],
)
def test_times_are_written_for_people(value: float, text: str):
    assert duration(value) == text


def read_back(drawing: str, *, color: bool) -> list[list[int]]:
    """Read a drawing as a camera would: two modules a character, 1 is dark."""
    halves = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
    rows: list[list[int]] = []
    for line in drawing.splitlines():
        if color:
            assert line.startswith("\x1b[38;5;16;48;5;231m")
            assert line.endswith("\x1b[0m")
        cells = [halves[sign] for sign in re.sub(r"\x1b\[[0-9;]*m", "", line)]
        for half in (0, 1):
            dark = [cell[half] if color else 1 - cell[half] for cell in cells]
            rows += [dark]
    return rows


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("length", [1, 40, 120, 400])
def test_a_drawn_code_reads_back_as_the_same_modules_in_a_quiet_zone(length: int, color: bool):
    modules = qr.matrix("https://qr.example/" + "x" * length)

    rows = read_back(qr.paint(modules, color=color), color=color)

    zone, size = qr.QUIET_ZONE, len(modules)
    inner = [row[zone : zone + size] for row in rows[zone : zone + size]]
    assert inner == modules
    assert {len(row) for row in rows} == {qr.columns(modules)}
    assert sum(map(sum, rows)) == sum(map(sum, modules))
    assert len(rows) >= size + 2 * zone
