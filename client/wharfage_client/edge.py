"""The edge of the process: whatever was raised becomes five fields on stderr and an exit code."""

import os
from collections.abc import Sequence

import click

from wharfage_client import failure
from wharfage_client.console import Console
from wharfage_client.errors import LocalError, WharfageError
from wharfage_client.verbs import Flags
from wharfage_client.words import Words, language_of


def told(error: Exception, flags: Flags, typed: Sequence[str]) -> int:
    """Tell of an error; give the exit code."""
    from wharfage_client.curl import Printed

    words = Words(language_of(os.environ))
    if isinstance(error, Printed):
        Console(words, as_json=False).say(error.line)
        return 0
    # Arguments that cannot be read end the reading before --json is seen.
    as_json = flags.as_json or (isinstance(error, click.UsageError) and "--json" in typed)
    known = _known(error)
    Console(words, as_json=as_json).fail(failure.explain(known, flags.command, words))
    if flags.failure_exit is not None:
        return flags.failure_exit
    return failure.exit_code(known)


def _known(error: Exception) -> WharfageError:
    match error:
        case WharfageError():
            return error
        case click.ClickException():
            return LocalError("usage", reason=error.format_message())
        case _ if os.environ.get("WHARFAGE_DEBUG"):
            raise error
        case _:
            return LocalError("internal_client_error", reason=f"{type(error).__name__}: {error}")
