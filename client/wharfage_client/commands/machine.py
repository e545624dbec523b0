"""What is here: the console in a browser, the doctor, completion for shells."""

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from wharfage_client.errors import LocalError, WharfageError
from wharfage_client.verbs import Cli, Verb, cli_of

_SKEW_SECONDS_MAX = 60
_SHELLS = ("bash", "zsh", "fish")


@click.command("open", cls=Verb, calls=False)
@click.option("--print", "only_print", is_flag=True, help="Print the address, open nothing.")
@click.pass_context
def open_console(ctx: click.Context, *, only_print: bool) -> None:
    """Open the web console, and print its address."""
    cli = cli_of(ctx)
    url = f"{cli.settings.server}/"
    desktop = sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    opened = False
    if desktop and cli.console.on_terminal and not only_print:
        import webbrowser

        opened = webbrowser.open(url)
    if cli.flags.as_json:
        cli.console.emit({"url": url, "opened": opened})
    else:
        cli.console.say(url)


@click.command(cls=Verb, calls=False)
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
@click.pass_context
def completion(ctx: click.Context, *, shell: str | None) -> None:
    """Write the completion for a shell; your own unless you name one.

    For bash: eval "$(wharfage completion bash)" in ~/.bashrc.
    """
    from click.shell_completion import get_completion_class

    cli = cli_of(ctx)
    name = shell or os.path.basename(os.environ.get("SHELL", ""))  # noqa: PTH119 - a name, no path.
    kind = get_completion_class(name) if name in _SHELLS else None
    if kind is None:
        raise LocalError("no_shell", shell=name or "this shell", reason="it is not known here")
    root = ctx.find_root()
    try:
        source = kind(root.command, {}, "wharfage", "_WHARFAGE_COMPLETE").source()
    except (OSError, RuntimeError) as error:
        raise LocalError("no_shell", shell=name, reason=str(error)) from error
    if cli.flags.as_json:
        cli.console.emit({"shell": name, "source": source})
    else:
        print(source)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: *good* is None where it could not be."""

    name: str
    good: bool | None
    text: str


@click.command(cls=Verb, calls=False)
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Look at what this command needs, and say what is wrong."""
    cli = cli_of(ctx)
    findings = [_url(cli), _file(cli)]
    if findings[0].good:
        findings += _server(cli)
        findings.append(_account(cli))
    bad = any(each.good is False for each in findings)
    if cli.flags.as_json:
        checks = [{"name": each.name, "good": each.good, "text": each.text} for each in findings]
        cli.console.emit({"good": not bad, "checks": checks})
    else:
        states = {True: "good", False: "bad", None: "unknown"}
        for each in findings:
            state = cli.words(f"doctor.{states[each.good]}")
            about = cli.words(f"doctor.{each.name}")
            cli.console.say(f"{state}: {about}" + (f": {each.text}" if each.text else ""))
    if bad:
        raise LocalError("unhealthy")


def _url(cli: Cli) -> Finding:
    try:
        return Finding("url", True, cli.settings.server)
    except LocalError as error:
        return Finding("url", False, _said(cli, error))


def _file(cli: Cli) -> Finding:
    try:
        mode = cli.settings.session.mode
    except LocalError as error:
        return Finding("file", False, _said(cli, error))
    text = "" if mode is None else f"{mode:04o} {cli.settings.session.file}"
    return Finding("file", mode is None or mode & 0o077 == 0, text)


def _server(cli: Cli) -> list[Finding]:
    """Ask the server how it is, and what time it has."""
    from email.utils import parsedate_to_datetime

    from wharfage_client.transport import Call, Transport, read

    try:
        transport = Transport(cli.settings.server, language=cli.words.language)
        began = datetime.now(UTC)
        answer = transport.send(Call(method="GET", path="/v1/health"))
        health = read(answer, cli.settings.server)
        transport.close()
    except WharfageError as error:
        return [Finding("reach", False, _said(cli, error)), Finding("clock", None, "")]
    reached = Finding("reach", True, str(health.get("status", "")))
    try:
        there = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return [reached, Finding("clock", None, "")]
    skew = abs((there - began).total_seconds())
    return [reached, Finding("clock", skew <= _SKEW_SECONDS_MAX, f"{skew:.0f} s")]


def _account(cli: Cli) -> Finding:
    try:
        account = cli.client.account.show()
    except WharfageError as error:
        return Finding("account", False, _said(cli, error))
    return Finding("account", True, f"{account['email']} ({account['role']})")


def _said(cli: Cli, error: WharfageError) -> str:
    from wharfage_client.failure import explain

    said = explain(error, cli.flags.command, cli.words)
    return f"{said.why} {said.todo}".strip()
