"""The local stack, up and down: handed on to the checkout this command is run in."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from wharfage_client.errors import LocalError
from wharfage_client.verbs import Verb, cli_of

_PASSED_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(cls=Verb, calls=False, context_settings=_PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def up(ctx: click.Context, *, arguments: tuple[str, ...]) -> int:
    """Start the local stack of the checkout you are in.

    ARGUMENTS are the stack's own.
    """
    return _handed_on(ctx, "up", arguments)


@click.command(cls=Verb, calls=False, context_settings=_PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def down(ctx: click.Context, *, arguments: tuple[str, ...]) -> int:
    """Stop the local stack of the checkout you are in."""
    return _handed_on(ctx, "down", arguments)


def _handed_on(ctx: click.Context, command: str, arguments: tuple[str, ...]) -> int:
    cli = cli_of(ctx)
    program = program_of(Path.cwd())
    if program is None:
        raise LocalError("no_checkout", command=command)
    line = [*program, command, *arguments]
    # With --json stdout holds one object, so what the stack says goes to stderr.
    out = sys.stderr if cli.flags.as_json else None
    code = _waited(subprocess.Popen(line, stdout=out))
    if cli.flags.as_json:
        cli.console.emit({"command": line, "exit_code": code})
    return code


def program_of(folder: Path) -> list[str] | None:
    """Find what starts the stack: the checkout around *folder*, else the installed package."""
    for parent in (folder, *folder.parents):
        if (parent / "dev").is_file() and (parent / "infrastructure" / "setup").is_dir():
            return [sys.executable, str(parent / "dev")]
    try:
        installed = find_spec("infrastructure.local")
    except ModuleNotFoundError:
        installed = None
    return [sys.executable, "-m", "infrastructure.local"] if installed else None


def _waited(child: "subprocess.Popen[bytes]") -> int:
    """Wait for a child; Ctrl-C is its to answer, it stands in the same terminal."""
    while True:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            continue
        return code if code >= 0 else 128 - code
