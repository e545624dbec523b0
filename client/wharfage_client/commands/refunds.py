"""Refunds: ask for money back, and decide on it."""

from typing import TYPE_CHECKING

import click

from wharfage_client.errors import LocalError
from wharfage_client.money import yuan
from wharfage_client.verbs import SEARCHED_MAX, YUAN, Cli, VerbGroup, cli_of

if TYPE_CHECKING:
    from wharfage_client.refunds import Refund

_STATES = ("requested", "approved", "submitted", "unknown", "succeeded", "failed", "rejected")


@click.group(cls=VerbGroup)
@click.option("--state", type=click.Choice(_STATES), default="requested", show_default=True)
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.pass_context
def refunds(ctx: click.Context, *, state: str, limit: int) -> None:
    """List the refunds that wait, or act on one: ask, approve, reject."""
    if ctx.invoked_subcommand is None:
        cli = cli_of(ctx)
        _list(cli, list(cli.client.refunds.newest(most=limit, state=state)))


@refunds.command()
@click.option("--reason", metavar="TEXT", help="Why; the operator reads it.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same again is the same refund.")
@click.argument("order")
@click.argument("amount", type=YUAN, required=False)
@click.pass_context
def ask(
    ctx: click.Context, *, order: str, amount: int | None, reason: str | None, key: str | None
) -> None:
    """Ask for AMOUNT yuan of ORDER back, or for all that is left of it.

    It leaves the balance now; the operator decides.
    """
    cli = cli_of(ctx)
    order_id = cli.find(order, "ord", "/v1/orders")
    made = cli.client.refunds.ask(order_id, amount_fen=amount, reason=reason, key=key)
    _show(cli, made)


@refunds.command()
@click.argument("order")
@click.pass_context
def show(ctx: click.Context, *, order: str) -> None:
    """List the refunds of ORDER."""
    cli = cli_of(ctx)
    order_id = cli.find(order, "ord", "/v1/orders")
    _list(cli, list(cli.client.refunds.of_order(order_id, most=SEARCHED_MAX)))


@refunds.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("refund")
@click.pass_context
def approve(ctx: click.Context, *, yes: bool, refund: str) -> int:
    """Let REFUND be carried out: the channel sends the money (operator)."""
    cli = cli_of(ctx)
    found = _waiting(cli, refund)
    amount = yuan(found["amount_fen"])
    if not cli.agreed(cli.words("ask.refund", amount=amount, id=found["order"]), yes=yes):
        return 1
    _show(cli, cli.client.refunds.approve(found))
    return 0


@refunds.command()
@click.option("--reason", metavar="TEXT", required=True, help="Why; the customer reads it.")
@click.argument("refund")
@click.pass_context
def reject(ctx: click.Context, *, reason: str, refund: str) -> None:
    """Refuse REFUND; its money is available again (operator)."""
    cli = cli_of(ctx)
    _show(cli, cli.client.refunds.reject(_waiting(cli, refund), reason=reason))


def _waiting(cli: Cli, prefix: str) -> "Refund":
    """Find a refund that waits by the beginning of its id. Raises: LocalError."""
    begins = prefix if prefix.startswith("rfd_") else f"rfd_{prefix}"
    newest = cli.client.refunds.newest(most=SEARCHED_MAX)
    found = [each for each in newest if each["id"].startswith(begins)]
    if not found:
        raise LocalError("id_not_found", prefix=prefix, looked_at=SEARCHED_MAX)
    if len(found) > 1:
        examples = ", ".join(each["id"] for each in found[:4])
        raise LocalError("ambiguous_id", prefix=prefix, count=len(found), examples=examples)
    return found[0]


def _list(cli: Cli, found: list["Refund"]) -> None:
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    rows = [
        (
            each["id"], each["order"], yuan(each["amount_fen"]), each["state"], each["origin"],
            each["reason"], each["created_at"],
        )
        for each in found
    ]  # fmt: skip
    cli.console.table(["refund", "order", "amount", "state", "origin", "reason", "since"], rows)


def _show(cli: Cli, refund: "Refund") -> None:
    if cli.flags.as_json:
        cli.console.emit(refund)
        return
    amount = yuan(refund["amount_fen"])
    cli.console.say(f"{refund['id']}  {refund['order']}  {amount}  {refund['state']}")
