"""Money: topup, channels, quota, ledger, orders, prices."""

import shutil
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from wharfage_client.errors import LocalError
from wharfage_client.money import price, yuan
from wharfage_client.quantities import duration
from wharfage_client.verbs import YUAN, Cli, Verb, cli_of
from wharfage_client.views import Entry, Order, Pay, Period, Quota

_LISTED_MAX = 100_000
#: A spreadsheet runs a cell that begins with one of these (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


_PAYING = (
    click.option("--qr", "method", flag_value="qr", default="qr", help="By QR code; the default."),
    click.option("--page", "method", flag_value="page", help="Pay on a web page."),
    click.option("--wap", "method", flag_value="wap", help="Pay on a phone's web page."),
    click.option("--app", "method", flag_value="app", help="Have a text for an app on a phone."),
    click.option("--channel", metavar="NAME", help="Who takes the money; see `channels`."),
    click.option("--no-wait", is_flag=True, help="Do not wait for the payment."),
    click.option("--key", metavar="KEY", help="Idempotency key: the same again is the same order."),
)


def paying(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of whoever buys: how to pay, whether to wait, under which key."""
    for option in reversed(_PAYING):
        command = option(command)
    return command


@click.command(cls=Verb)
@paying
@click.argument("amount", type=YUAN)
@click.pass_context
def topup(ctx: click.Context, /, *, amount: int, no_wait: bool, **how: str | None) -> None:
    """Add AMOUNT yuan to the balance: scan, and see the new one."""
    cli = cli_of(ctx)
    order = cli.client.orders.open(amount, **how)
    pay_for(cli, order, method=how["method"] or "qr", no_wait=no_wait)


@click.command(cls=Verb)
@click.pass_context
def channels(ctx: click.Context) -> None:
    """List what an order can be paid by, the preferred channel first."""
    cli = cli_of(ctx)
    found = cli.client.orders.channels()
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    rows = [
        (
            each["name"],
            " ".join(each["methods"]),
            yuan(each["amount_fen_min"]),
            yuan(each["amount_fen_max"]),
            "yes" if each["available"] else f"in {each['retry_after_seconds']} s",
        )
        for each in found
    ]
    cli.console.table(["channel", "methods", "from", "to", "available"], rows)


def pay_for(cli: Cli, order: Order, *, method: str, no_wait: bool) -> None:
    """Show how to pay an order, wait until it is paid, and show what there is then.

    Raises: LocalError, if it is closed unpaid.
    """
    orders = cli.client.orders
    pay = orders.pay(order["id"], method=method)
    if cli.flags.as_json:
        cli.console.emit({"type": "order", "order": order, "pay": pay})
    else:
        _show_pay(cli, order, pay)
    if no_wait:
        return
    if not cli.flags.as_json:
        cli.console.note(cli.words("pay.waiting"))
    while order["state"] == "open":
        order = orders.get(order["id"], wait_seconds=20)
    if order["state"] != "paid":
        raise LocalError("order_closed", id=order["id"])
    quota = cli.client.quota.show()
    if cli.flags.as_json:
        cli.console.emit({"type": "paid", "order": order, "quota": quota})
        return
    facts = {"amount": yuan(order["amount_fen"]), "available": yuan(quota["available_fen"])}
    cli.console.say(cli.words("pay.paid", **facts))
    if order["kind"] == "membership" and (bought := quota["membership"]) is not None:
        cli.console.say(cli.words("membership.until", plan=bought["plan"], end=bought["ends_at"]))


@click.command(cls=Verb)
@click.pass_context
def quota(ctx: click.Context) -> None:
    """Show what can be spent, what is held for jobs, and what is owed."""
    cli = cli_of(ctx)
    found = cli.client.quota.show()
    if cli.flags.as_json:
        cli.console.emit(found)
        return
    cli.console.facts(
        {
            "available": yuan(found["available_fen"]),
            "held": yuan(found["held_fen"]),
            "owed": yuan(found["debt_fen"]) if found["debt_fen"] else None,
            "state": found["state"],
            **_life(found),
            **_units(found["period"]),
        }
    )


def _life(found: Quota) -> dict[str, str]:
    """Say what runs costs, how long the money lasts, and which quotas are in use."""
    facts = {}
    if found["lasts_seconds"] is not None:
        facts["burn"] = f"{yuan(found['burn_fen'])} an hour"
        facts["lasts"] = duration(found["lasts_seconds"])
    for line in found["quotas"]:
        if line["used"]:
            shown = yuan if line["name"].endswith("_fen") else str
            name = line["name"].removesuffix("_fen").replace("_", " ")
            facts[name] = f"{shown(line['used'])} of {shown(line['limit'])}"
    return facts


def _units(period: Period | None) -> dict[str, str]:
    if period is None:
        return {}
    return {
        "units": f"{period['remaining']} of {period['granted']}",
        "units held": str(period["held"]),
        "units until": period["ends_at"],
    }


@click.command(cls=Verb)
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV; every entry unless --limit says.")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="At most so many; 20 by default.")
@click.pass_context
def ledger(ctx: click.Context, *, as_csv: bool, limit: int | None) -> None:
    """List every move of your money and units, newest first."""
    cli = cli_of(ctx)
    most = limit or (_LISTED_MAX if as_csv else 20)
    entries = cli.client.ledger.newest(most=most)
    if as_csv:
        if cli.flags.as_json:
            raise click.UsageError("--csv and --json cannot both be had.")
        write_csv(entries)
    elif cli.flags.as_json:
        cli.console.emit({"items": list(entries)})
    else:
        columns = ["posted", "code", "amount", "reference", "note"]
        rows = [
            (
                each["posted_at"],
                each["code"],
                price(each["amount_fen"], each["units"]),
                each["reference"],
                each["note"],
            )
            for each in entries
        ]
        cli.console.table(columns, rows)


@click.command(cls=Verb)
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.pass_context
def orders(ctx: click.Context, *, limit: int) -> None:
    """List your orders, newest first."""
    cli = cli_of(ctx)
    found = list(cli.client.orders.newest(most=limit))
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    rows = [
        (each["id"], each["kind"], yuan(each["amount_fen"]), each["state"], each["created_at"])
        for each in found
    ]
    cli.console.table(["order", "kind", "amount", "state", "created"], rows)


@click.command(cls=Verb)
@click.pass_context
def prices(ctx: click.Context) -> None:
    """Show the prices that new work is admitted under."""
    cli = cli_of(ctx)
    found = cli.client.quota.prices()
    if cli.flags.as_json:
        cli.console.emit(found)
        return
    cli.console.facts(
        {
            "version": found["version"],
            "CPU, an hour": yuan(found["vcpu_hour_fen"]),
            "GB of memory, an hour": yuan(found["gb_hour_fen"]),
        }
    )


def _show_pay(cli: Cli, order: Order, pay: Pay) -> None:
    from wharfage_client import qr

    facts = {"amount": yuan(order["amount_fen"]), "until": pay["expires_at"]}
    if pay["qr_text"] is None:
        cli.console.note(cli.words("pay.app" if pay["app_string"] else "pay.open", **facts))
        cli.console.say(pay["url"] or pay["app_string"] or "")
        return
    cli.console.note(cli.words("pay.scan", **facts))
    modules = qr.matrix(pay["qr_text"])
    if cli.console.on_terminal and shutil.get_terminal_size().columns >= qr.columns(modules):
        print(qr.paint(modules, color=cli.console.color), flush=True)
    cli.console.say(pay["url"] or pay["qr_text"])


def write_csv(entries: Iterable[Entry]) -> None:
    """Write entries as CSV as they come, in which no cell is a formula."""
    import csv

    writer = csv.writer(sys.stdout)
    columns = list(Entry.__annotations__)
    writer.writerow(columns)
    for entry in entries:
        row: dict[str, object] = {**entry}
        writer.writerow([_cell(row.get(name)) for name in columns])


def _cell(value: object) -> object:
    """Write a text so that a spreadsheet shows it and does not run it; numbers are themselves."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
