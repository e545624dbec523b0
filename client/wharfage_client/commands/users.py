"""Accounts, for the operator: list, ban, freeze, set quotas."""

from typing import TYPE_CHECKING

import click

from wharfage_client.errors import LocalError
from wharfage_client.money import yuan
from wharfage_client.quantities import named_value
from wharfage_client.verbs import Cli, Read, VerbGroup, cli_of
from wharfage_client.views import Account

if TYPE_CHECKING:
    from wharfage_client.operator import Standing

_PATH = "/v1/admin/users"


def _limit(text: str) -> tuple[str, int]:
    name, value = named_value(text)
    if not value.isascii() or not value.isdigit():
        raise ValueError(text)
    return name, int(value)


_LIMIT = Read("NAME=NUMBER", _limit, "a limit, as live_jobs=20")


@click.group(cls=VerbGroup)
@click.option("--email", metavar="ADDRESS", help="Only the account with this address.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.pass_context
def users(ctx: click.Context, *, email: str | None, limit: int) -> None:
    """List accounts; with a command, act on one (operator)."""
    if ctx.invoked_subcommand is not None:
        return
    cli = cli_of(ctx)
    if email is None:
        found = list(cli.client.users.newest(most=limit))
    else:
        one = cli.client.users.by_email(email)
        found = [one] if one else []
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    rows = [
        (each["id"], each["email"], each["role"], each["created_at"], each["banned_at"])
        for each in found
    ]
    cli.console.table(["user", "e-mail", "role", "since", "banned"], rows)


@users.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("user")
@click.pass_context
def ban(ctx: click.Context, *, yes: bool, user: str) -> int:
    """Shut an account out and stop its work. USER is an id, its beginning, or an address."""
    cli = cli_of(ctx)
    user_id = _find(cli, user)
    if not cli.agreed(cli.words("ask.ban", name=user, id=user_id), yes=yes):
        return 1
    _show(cli, cli.client.users.ban(user_id))
    return 0


@users.command()
@click.argument("user")
@click.pass_context
def unban(ctx: click.Context, *, user: str) -> None:
    """Let an account sign in again."""
    cli = cli_of(ctx)
    _show(cli, cli.client.users.unban(_find(cli, user)))


@users.command()
@click.option("--reason", metavar="TEXT", required=True, help="Why; kept on its timeline.")
@click.argument("user")
@click.pass_context
def freeze(ctx: click.Context, *, reason: str, user: str) -> None:
    """Freeze an account's money: no new work is started, what runs goes on."""
    cli = cli_of(ctx)
    _show_standing(cli, cli.client.users.freeze(_find(cli, user), reason=reason))


@users.command()
@click.option("--reason", metavar="TEXT", required=True, help="Why; kept on its timeline.")
@click.argument("user")
@click.pass_context
def unfreeze(ctx: click.Context, *, reason: str, user: str) -> None:
    """Let an account use its money again."""
    cli = cli_of(ctx)
    _show_standing(cli, cli.client.users.unfreeze(_find(cli, user), reason=reason))


@users.command()
@click.option("--set", "wanted", type=_LIMIT, multiple=True, help="Set this limit.")
@click.option("--default", "unset", metavar="NAME", multiple=True, help="Back to the default.")
@click.argument("user")
@click.pass_context
def quotas(
    ctx: click.Context, *, wanted: tuple[tuple[str, int], ...], unset: tuple[str, ...], user: str
) -> None:
    """Show what an account's live work may take; with --set, say what."""
    cli = cli_of(ctx)
    user_id = _find(cli, user)
    found = cli.client.users.quotas(user_id)
    if wanted or unset:
        own = {**found["own"], **dict(wanted), **dict.fromkeys(unset)}
        found = cli.client.users.set_quotas(user_id, own)
    if cli.flags.as_json:
        cli.console.emit(found)
        return
    rows = [
        (name, limit, "default" if found["own"].get(name) is None else "set")
        for name, limit in found["in_force"].items()
    ]
    cli.console.table(["limit", "value", "from"], rows)


def _show_standing(cli: Cli, standing: "Standing") -> None:
    if cli.flags.as_json:
        cli.console.emit(standing)
        return
    cli.console.facts(
        {
            "account": standing["account"],
            "state": standing["state"],
            "owed": yuan(standing["debt_fen"]) if standing["debt_fen"] else None,
            "frozen": standing["frozen_at"],
            "suspended": standing["suspended_at"],
        }
    )


def _find(cli: Cli, user: str) -> str:
    if "@" not in user:
        return cli.find(user, "usr", _PATH)
    found = cli.client.users.by_email(user)
    if found is None:
        raise LocalError("id_not_found", prefix=user, looked_at=0)
    return found["id"]


def _show(cli: Cli, account: Account) -> None:
    if cli.flags.as_json:
        cli.console.emit(account)
        return
    state = f"banned {account['banned_at']}" if account["banned_at"] else "active"
    cli.console.say(f"{account['id']}  {account['email']}  {state}")
