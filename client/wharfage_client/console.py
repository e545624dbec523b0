"""Where a command writes: results to stdout, all else to stderr; tables only where people look."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from wharfage_client.failure import Failure
from wharfage_client.words import Words

_RED, _BOLD, _DIM, _PLAIN = "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


class Console:
    """The two outputs of a command, and the language it speaks."""

    def __init__(self, words: Words, *, as_json: bool) -> None:
        self.words = words
        self.as_json = as_json
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")

    @property
    def on_terminal(self) -> bool:
        """Tell whether people read what is written to stdout."""
        return sys.stdout.isatty() and not self.as_json

    @property
    def live(self) -> bool:
        """Tell whether people read what is written to stderr."""
        return sys.stderr.isatty() and not self.as_json

    @property
    def color(self) -> bool:
        """Tell whether colours are wanted."""
        return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def emit(self, value: Any) -> None:
        """Write one JSON value on one line."""
        print(json.dumps(value, ensure_ascii=False), flush=True)

    def say(self, text: str) -> None:
        """Write a result for people."""
        print(clean(text), flush=True)

    def note(self, text: str) -> None:
        """Write something for people beside the result."""
        if not self.as_json:
            print(clean(text), file=sys.stderr, flush=True)

    def write(self, stream: str, data: bytes) -> None:
        """Pass on bytes of a container, exactly."""
        out = sys.stderr.buffer if stream == "stderr" else sys.stdout.buffer
        out.write(data)
        out.flush()

    def facts(self, rows: Mapping[str, object]) -> None:
        """Write one thing, a line a fact; facts that are None are left out."""
        known = {name: value for name, value in rows.items() if value is not None}
        width = max(map(len, known), default=0)
        for name, value in known.items():
            print(f"{name.ljust(width)}  {clean(str(value))}")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Write a list: drawn on a terminal, plain columns where a program reads."""
        cells = [[clean("" if cell is None else str(cell)) for cell in row] for row in rows]
        if not cells and self.on_terminal:
            self.note(self.words("list.empty"))
        elif self.on_terminal:
            _draw(columns, cells)
        else:
            _print_columns(columns, cells)

    def fail(self, failure: Failure) -> None:
        """Write an error."""
        if self.as_json:
            print(json.dumps({"error": failure.fields()}, ensure_ascii=False), file=sys.stderr)
            return
        first, *rest = failure.lines(self.words)
        first, rest = clean(first), list(map(clean, rest))
        if self.live and self.color:
            first = f"{_BOLD}{_RED}{first}{_PLAIN}"
        print("\n".join([first, *rest]), file=sys.stderr, flush=True)

    def dim(self, text: str) -> str:
        """Make a text quiet, where colours are wanted."""
        return f"{_DIM}{text}{_PLAIN}" if self.color else text


def clean(text: str) -> str:
    """Take out what would command the terminal: the text may be somebody else's."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\ufffd" for sign in text)


def width_of(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def fitted(text: str, columns: int) -> str:
    """Cut a text so that it stays on one line."""
    while width_of(text) > columns:
        text = text[:-1]
    return text


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    RichConsole().print(table)


def _print_columns(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [list(map(str.upper, columns)), *(list(row) for row in rows)]
    widths = [max(width_of(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        padded = [
            cell + " " * (most - width_of(cell)) for cell, most in zip(line, widths, strict=True)
        ]
        print("  ".join(padded).rstrip())
