"""Disputes, for the operator: list them, and tell what a channel says of one."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import click

from wharfage_client.money import yuan
from wharfage_client.verbs import YUAN, Read, VerbGroup, cli_of

if TYPE_CHECKING:
    from wharfage_client.disputes import News

_STATES = ("open", "won", "lost")
_KINDS = ("chargeback", "complaint")


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().isoformat()


_MOMENT = Read("TIME", _moment, "a time, as 2026-03-01 or 2026-03-01T18:00")


@click.group(cls=VerbGroup)
@click.option("--state", type=click.Choice(_STATES), default="open", show_default=True)
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.pass_context
def disputes(ctx: click.Context, *, state: str, limit: int) -> None:
    """List the disputes that are open, or tell of one (operator)."""
    if ctx.invoked_subcommand is not None:
        return
    cli = cli_of(ctx)
    found = list(cli.client.disputes.newest(most=limit, state=state))
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    rows = [
        (
            each["id"], each["order"], each["account"], each["kind"], yuan(each["amount_fen"]),
            each["state"], each["reason"], each["answer_by"],
        )
        for each in found
    ]  # fmt: skip
    cli.console.table(
        ["dispute", "order", "user", "kind", "amount", "state", "reason", "answer by"], rows
    )


@disputes.command()
@click.option("--reference", metavar="ID", required=True, help="The channel's own name of it.")
@click.option("--reason", metavar="TEXT", required=True, help="What the channel says.")
@click.option("--state", type=click.Choice(_STATES), default="open", show_default=True)
@click.option("--kind", type=click.Choice(_KINDS), default="chargeback", show_default=True)
@click.option("--evidence", metavar="TEXT", help="What you answer with.")
@click.option("--answer-by", type=_MOMENT, help="Until when; you are reminded then.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("order")
@click.argument("amount_fen", metavar="[AMOUNT]", type=YUAN, required=False)
@click.pass_context
def tell(ctx: click.Context, /, *, order: str, yes: bool, **said: Any) -> int:
    """Tell that AMOUNT yuan of ORDER (a whole id) are disputed, or all of it, and how it ended.

    Open, the money is set aside and the account is frozen; won, it is back; lost, it is gone.
    The same again changes nothing.
    """
    cli = cli_of(ctx)
    if not cli.agreed(cli.words(f"ask.dispute.{said['state']}", id=order), yes=yes):
        return 1
    news = {name: value for name, value in said.items() if value is not None}
    told = cli.client.disputes.tell(order, cast("News", news))
    if cli.flags.as_json:
        cli.console.emit(told)
    else:
        cli.console.say(
            f"{told['id']}  {told['order']}  {yuan(told['amount_fen'])}  {told['state']}"
        )
    return 0
