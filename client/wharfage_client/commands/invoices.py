"""Invoices (fapiao): ask for a month's, see them; and, for the operator, write them."""

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import click

from wharfage_client.commands.statements import MONTH
from wharfage_client.errors import LocalError
from wharfage_client.money import yuan
from wharfage_client.verbs import SEARCHED_MAX, Cli, VerbGroup, cli_of

if TYPE_CHECKING:
    from wharfage_client.invoices import Invoice, RedNote

N = TypeVar("N", "Invoice", "RedNote")

_STATES = ("requested", "issued", "rejected")


@click.group(cls=VerbGroup)
@click.pass_context
def invoice(ctx: click.Context) -> None:
    """List your invoices; with a command, ask for one or act on one."""
    if ctx.invoked_subcommand is not None:
        return
    cli = cli_of(ctx)
    _list(cli, cli.client.invoices.newest(most=SEARCHED_MAX))


@invoice.command()
@click.option("--title", required=True, metavar="NAME", help="Whom it is made out to.")
@click.option("--tax-number", metavar="NUMBER", help="Of a company: its 18 characters.")
@click.argument("month", type=MONTH)
@click.pass_context
def ask(ctx: click.Context, *, title: str, tax_number: str | None, month: str) -> None:
    """Ask for the fapiao of MONTH, once it is over."""
    cli = cli_of(ctx)
    _show(cli, cli.client.invoices.ask(month, title=title, tax_number=tax_number))


@invoice.command("all")
@click.option("--state", type=click.Choice(_STATES), default="requested", show_default=True)
@click.pass_context
def list_all(ctx: click.Context, *, state: str) -> None:
    """List every account's invoices in a state (operator)."""
    cli = cli_of(ctx)
    _list(cli, cli.client.invoices.in_state(state, most=SEARCHED_MAX))


@invoice.command()
@click.argument("invoice_id", metavar="INVOICE")
@click.argument("number")
@click.pass_context
def issue(ctx: click.Context, *, invoice_id: str, number: str) -> None:
    """Note that the fapiao of INVOICE is written, and its NUMBER (operator)."""
    cli = cli_of(ctx)
    found = _any_of(cli, invoice_id)
    _show(cli, cli.client.invoices.issue(found["account"], found["id"], number=number))


@invoice.command()
@click.argument("invoice_id", metavar="INVOICE")
@click.argument("reason")
@click.pass_context
def reject(ctx: click.Context, *, invoice_id: str, reason: str) -> None:
    """Refuse INVOICE, with a REASON for its customer (operator)."""
    cli = cli_of(ctx)
    found = _any_of(cli, invoice_id)
    _show(cli, cli.client.invoices.reject(found["account"], found["id"], reason=reason))


@invoice.command()
@click.option("--written", metavar="NOTE", help="This one is written, under NUMBER.")
@click.argument("number", required=False)
@click.pass_context
def red(ctx: click.Context, *, written: str | None, number: str | None) -> None:
    """List what went back of invoices and is due for a red-letter note (operator)."""
    if (written is None) is not (number is None):
        raise click.UsageError("--written NOTE and a NUMBER go together.")
    cli = cli_of(ctx)
    due = cli.client.invoices.red_notes("due", most=SEARCHED_MAX)
    if written is not None and number is not None:
        found = _the(due, written)
        note = cli.client.invoices.write_red_note(found["account"], found["id"], number=number)
        due = iter([note])
    notes = list(due)
    if cli.flags.as_json:
        cli.console.emit({"items": notes})
        return
    rows = [
        (each["id"], each["account"], each["invoice_number"], yuan(each["amount_fen"]),
         each["state"], each["number"])
        for each in notes
    ]  # fmt: skip
    cli.console.table(["note", "user", "fapiao", "amount", "state", "number"], rows)


def _any_of(cli: Cli, prefix: str) -> "Invoice":
    """Find an invoice of any account by the beginning of its id. Raises: LocalError."""
    lists = (cli.client.invoices.in_state(state, most=SEARCHED_MAX) for state in _STATES)
    return _the(chain.from_iterable(lists), prefix)


def _the(items: Iterable[N], prefix: str) -> N:
    found = [each for each in items if each["id"].startswith(prefix)]
    if not found:
        raise LocalError("id_not_found", prefix=prefix, looked_at=SEARCHED_MAX)
    if len(found) > 1:
        examples = ", ".join(each["id"] for each in found[:4])
        raise LocalError("ambiguous_id", prefix=prefix, count=len(found), examples=examples)
    return found[0]


def _list(cli: Cli, items: "Iterable[Invoice]") -> None:
    found = list(items)
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    rows = [
        (each["id"], each["month"], yuan(each["amount_fen"]), each["state"], each["number"],
         each["title"], each["tax_number"])
        for each in found
    ]  # fmt: skip
    columns = ["invoice", "month", "amount", "state", "number", "title", "tax number"]
    cli.console.table(columns, rows)


def _show(cli: Cli, found: "Invoice") -> None:
    if cli.flags.as_json:
        cli.console.emit(found)
        return
    cli.console.facts(
        {
            "invoice": found["id"],
            "month": found["month"],
            "amount": yuan(found["amount_fen"]),
            "title": found["title"],
            "tax number": found["tax_number"],
            "state": found["state"],
            "number": found["number"],
            "reason": found["reason"],
        }
    )
