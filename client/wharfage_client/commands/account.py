"""The account: register, login, logout, me."""

import sys
from pathlib import Path
from typing import Any

import click

from wharfage_client.errors import LocalError, NotSignedIn
from wharfage_client.verbs import Cli, Verb, cli_of

_PASSWORD = "WHARFAGE_PASSWORD"  #: What `--curl` calls the secret; it is not read.
_CODE = "WHARFAGE_OPERATOR_CODE"

_EMAIL_OPTION = click.option("--email", metavar="ADDRESS", help="Asked for if it is not given.")
_STDIN_OPTION = click.option(
    "--password-stdin", is_flag=True, help="Read the password from stdin instead of asking."
)


@click.command(cls=Verb)
@_EMAIL_OPTION
@_STDIN_OPTION
@click.option(
    "--operator-code-file",
    metavar="FILE",
    help="Become the first operator, by the one-time code in FILE.",
)
@click.pass_context
def register(
    ctx: click.Context, *, email: str | None, password_stdin: bool, operator_code_file: str | None
) -> None:
    """Make an account on this server and sign in to it."""
    cli = cli_of(ctx)
    server = cli.settings.server  # Without one there is nothing to ask a password for.
    assert server
    code = _code(cli, operator_code_file)
    email = email or _ask_email(cli)
    password = _password(cli, password_stdin, twice=True)
    account = cli.client.account
    if code is not None:
        account.become_operator(code, email, password)
    else:
        account.register(email, password)
    _sign_in(cli, email, password)


@click.command(cls=Verb)
@_EMAIL_OPTION
@_STDIN_OPTION
@click.pass_context
def login(ctx: click.Context, *, email: str | None, password_stdin: bool) -> None:
    """Sign in to this server.

    The session is kept in a file that only you can read.
    """
    cli = cli_of(ctx)
    assert cli.settings.server
    email = email or _ask_email(cli)
    _sign_in(cli, email, _password(cli, password_stdin, twice=False))


@click.command(cls=Verb)
@click.pass_context
def logout(ctx: click.Context) -> None:
    """End the session here and on the server."""
    cli = cli_of(ctx)
    session = cli.settings.session
    try:
        cli.client.account.sign_out()
    except NotSignedIn:
        pass  # It had ended over there already.
    except LocalError as error:
        if error.code != "not_signed_in":
            raise
    session.forget()
    if cli.flags.as_json:
        cli.console.emit({"signed_in": False, "url": cli.settings.server})
    else:
        cli.console.note(cli.words("account.signed_out", url=cli.settings.server))


@click.command(cls=Verb)
@click.pass_context
def me(ctx: click.Context) -> None:
    """Show who is signed in."""
    cli = cli_of(ctx)
    account = cli.client.account.show()
    if cli.flags.as_json:
        cli.console.emit(account)
        return
    facts: dict[str, Any] = {
        "id": account["id"],
        "e-mail": account["email"],
        "role": account["role"],
        "pools": ", ".join(account["pools"]),
        "since": account["created_at"],
        "banned": account["banned_at"],
        "server": cli.settings.server,
        "profile": cli.settings.profile,
    }
    cli.console.facts(facts)


def _sign_in(cli: Cli, email: str, password: str) -> None:
    tokens = cli.client.account.sign_in(email, password)
    cli.settings.session.keep(tokens, email=email)
    if cli.flags.as_json:
        url = cli.settings.server
        cli.console.emit({"signed_in": True, "url": url, "account": tokens["account"]})
    else:
        cli.console.note(cli.words("account.signed_in", url=cli.settings.server, email=email))


def _ask_email(cli: Cli) -> str:
    if not cli.asks:
        raise LocalError("prompt_needed")
    known = cli.settings.session.email
    answer: str = click.prompt(cli.words("ask.email"), default=known, err=True)
    return answer


def _password(cli: Cli, from_stdin: bool, *, twice: bool) -> str:
    if cli.flags.curl:
        return _named(cli, _PASSWORD)
    if from_stdin:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not cli.asks:
        raise LocalError("prompt_needed")
    text = cli.words("ask.password")
    password: str = click.prompt(text, hide_input=True, err=True, confirmation_prompt=twice)
    return password


def _code(cli: Cli, file: str | None) -> str | None:
    if file is None:
        return None
    if cli.flags.curl:
        return _named(cli, _CODE)
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LocalError("usage", reason=f"--operator-code-file {file}: {error}") from error


def _named(cli: Cli, name: str) -> str:
    from wharfage_client.curl import hidden

    cli.hidden.add(name)
    return hidden(name)
