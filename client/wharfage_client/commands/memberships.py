"""Memberships and what their units buy: membership, templates."""

import click

from wharfage_client.commands.money import pay_for, paying
from wharfage_client.money import yuan
from wharfage_client.verbs import Cli, Verb, cli_of

_LISTED_MAX = 1000


@click.command(cls=Verb)
@paying
@click.argument("plan", required=False)
@click.pass_context
def membership(
    ctx: click.Context, /, *, plan: str | None, no_wait: bool, **how: str | None
) -> None:
    """Buy a month of PLAN, or show what there is and what you have."""
    cli = cli_of(ctx)
    if plan is None:
        _show(cli)
        return
    order = cli.client.orders.join(plan, **how)
    pay_for(cli, order, method=how["method"] or "qr", no_wait=no_wait)


@click.command(cls=Verb)
@click.pass_context
def templates(ctx: click.Context) -> None:
    """List the jobs that the operator has prepared, and what they cost."""
    cli = cli_of(ctx)
    found = list(cli.client.templates.newest(most=_LISTED_MAX))
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    rows = [
        (
            each["name"],
            str(each["units"]),
            yuan(each["price_fen"]),
            " ".join(_names(each["input"])),
            each["title"][cli.words.language],
        )
        for each in found
    ]
    cli.console.table(["template", "units", "or", "input", "title"], rows)


def _show(cli: Cli) -> None:
    plans = cli.client.orders.plans()
    mine = cli.client.quota.show()["membership"]
    if cli.flags.as_json:
        cli.console.emit({"plans": plans, "membership": mine})
        return
    rows = [
        (
            each["name"],
            str(each["units"]),
            yuan(each["price_fen"]),
            each["title"][cli.words.language],
        )
        for each in plans
    ]
    cli.console.table(["plan", "units a month", "price a month", "title"], rows)
    if mine is not None:
        which = "membership.until" if mine["active"] else "membership.ended"
        cli.console.say(cli.words(which, plan=mine["plan"], end=mine["ends_at"]))


def _names(schema: dict[str, object]) -> list[str]:
    """Name what an input takes; what may be left out is in brackets."""
    properties, required = schema.get("properties"), schema.get("required")
    assert isinstance(properties, dict)
    needed = required if isinstance(required, list) else []
    return [name if name in needed else f"[{name}]" for name in properties]
