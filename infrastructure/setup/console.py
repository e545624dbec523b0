"""What set-up says: plain sentences on standard output, each at once."""

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Stop(Exception):
    """Set-up cannot go on: the message says what failed and what to do."""


def say(text: str = "") -> None:
    """Print one line now, even into a pipe."""
    print(text, flush=True)


def say_table(rows: Sequence[Sequence[str]]) -> None:
    """Print *rows* in columns; the last column is as wide as it likes."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        say("  " + "  ".join(padded).rstrip())


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say *what* begins, and how long it took once it has ended well."""
    say(f"{what} ...")
    began = time.monotonic()
    yield
    say(f"  done in {time.monotonic() - began:.1f} s")


def typed(command: Sequence[str]) -> str:
    """Give *command* as one would type it."""
    return shlex.join(command)
