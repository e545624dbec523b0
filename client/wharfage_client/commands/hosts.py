"""The fleet, for the operator: hosts, their enrolment codes, drain and revoke."""

from typing import Any

import click

from wharfage_client import quantities
from wharfage_client.verbs import SEARCHED_MAX, Cli, Read, VerbGroup, cli_of
from wharfage_client.views import Host

_PATH = "/v1/hosts"
_NAMED = Read("NAME=VALUE", quantities.named_value, "NAME=VALUE")
_TIME = Read("TIME", quantities.seconds, "a time, as 90s, 10m or 1h30m")


@click.group(cls=VerbGroup)
@click.pass_context
def hosts(ctx: click.Context) -> None:
    """List the fleet; with a command, act on it (operator)."""
    if ctx.invoked_subcommand is not None:
        return
    cli = cli_of(ctx)
    found = list(cli.client.hosts.newest(most=SEARCHED_MAX))
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    columns = ["host", "name", "pool", "status", "slots", "free", "agent", "seen"]
    cli.console.table(columns, [_row(each) for each in found])


@hosts.command()
@click.option("--pool", default="default", show_default=True, help="The pool it will belong to.")
@click.option("--label", multiple=True, type=_NAMED, help="A label it will have.")
@click.pass_context
def code(ctx: click.Context, *, pool: str, label: tuple[tuple[str, str], ...]) -> None:
    """Make a one-time code, good for 15 minutes, that enrols one machine."""
    cli = cli_of(ctx)
    made = cli.client.hosts.issue_code(pool=pool, labels=dict(label))
    if cli.flags.as_json:
        cli.console.emit(made)
        return
    cli.console.note(cli.words("host.code", until=made["expires_at"]))
    url = cli.settings.server
    cli.console.say(f"wharfage-agent enrol --server {url} --code {made['code']}")


@hosts.command()
@click.option("--deadline", type=_TIME, default=3600, help="When running work is handed back; 1h.")
@click.argument("host")
@click.pass_context
def drain(ctx: click.Context, *, deadline: int, host: str) -> None:
    """Let a host finish what it runs and take nothing new."""
    cli = cli_of(ctx)
    host_id = cli.find(host, "hst", _PATH)
    _show(cli, cli.client.hosts.drain(host_id, deadline_seconds=deadline))


@hosts.command()
@click.argument("host")
@click.pass_context
def undrain(ctx: click.Context, *, host: str) -> None:
    """Let a draining host take work again."""
    cli = cli_of(ctx)
    _show(cli, cli.client.hosts.undrain(cli.find(host, "hst", _PATH)))


@hosts.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("host")
@click.pass_context
def revoke(ctx: click.Context, *, yes: bool, host: str) -> int:
    """Make a host's token worthless, for good, and give its work to others."""
    cli = cli_of(ctx)
    host_id = cli.find(host, "hst", _PATH)
    if not cli.agreed(cli.words("ask.revoke", name=host, id=host_id), yes=yes):
        return 1
    cli.client.hosts.revoke(host_id)
    if cli.flags.as_json:
        cli.console.emit({"id": host_id, "status": "revoked"})
    else:
        cli.console.say(cli.words("host.revoked", id=host_id))
    return 0


def _show(cli: Cli, host: Host) -> None:
    if cli.flags.as_json:
        cli.console.emit(host)
    else:
        cli.console.say(f"{host['id']}  {host['status']}")


def _row(host: Host) -> tuple[Any, ...]:
    free = host["free"]
    status = host["status"] if host["reachable"] else f"{host['status']}, unreachable"
    return (
        host["id"],
        host["name"],
        host["pool"],
        f"{status}: {host['problem']}" if host["problem"] else status,
        host["capacity"]["slots"],
        None if free is None else free["slots"],
        host["agent_version"],
        host["seen_at"],
    )
