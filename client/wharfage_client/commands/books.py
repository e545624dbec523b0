"""The books, for the operator: reconcile, report."""

import sys
from typing import Any

import click

from wharfage_client.commands.statements import DAY
from wharfage_client.money import yuan
from wharfage_client.verbs import Cli, Verb, cli_of

_RECONCILIATION = "/v1/admin/reconciliation"
_REPORTS = "/v1/admin/reports"


@click.command(cls=Verb)
@click.option("--channel", default="alipay", show_default=True, help="`ledger` for all accounts.")
@click.option("--run", is_flag=True, help="Have the day looked at again, within a minute.")
@click.option("--resolve", metavar="BREAK", help="Close this break, with --reason.")
@click.option("--reason", metavar="TEXT", help="Why nobody has to look at it any more.")
@click.argument("day", type=DAY)
@click.pass_context
def reconcile(
    ctx: click.Context,
    *,
    channel: str,
    run: bool,
    resolve: str | None,
    reason: str | None,
    day: str,
) -> None:
    """Show where DAY and the channel's bill do not agree (operator)."""
    if (resolve is None) is not (reason is None):
        raise click.UsageError("--resolve and --reason go together.")
    cli = cli_of(ctx)
    path = f"{_RECONCILIATION}/{channel}/{day}"
    if run:
        _post(cli, f"{path}/run")
    if resolve is not None:
        _post(cli, f"{path}/breaks/{resolve}/resolve", {"reason": reason})
    found = cli.client.get(path)
    breaks = found["breaks"]
    while found["next_cursor"] is not None:
        found = cli.client.get(path, cursor=found["next_cursor"])
        breaks = [*breaks, *found["breaks"]]
    if cli.flags.as_json:
        cli.console.emit({"run": found["run"], "breaks": breaks})
        return
    _show(cli, found["run"], breaks)


@click.command(cls=Verb)
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV.")
@click.argument("day", type=DAY)
@click.pass_context
def report(ctx: click.Context, *, as_csv: bool, day: str) -> None:
    """Show the whole ledger of DAY, summed up (operator)."""
    cli = cli_of(ctx)
    if as_csv and cli.flags.as_json:
        raise click.UsageError("--csv and --json cannot both be had.")
    found = cli.client.get(f"{_REPORTS}/{day}")
    if cli.flags.as_json:
        cli.console.emit(found)
        return
    measures = sorted({name for line in found["lines"] for name in line["sums"]})
    columns = ["code", "debit", "credit", "count", *measures]
    rows = [
        [line[name] for name in columns[:4]] + [line["sums"].get(name, 0) for name in measures]
        for line in found["lines"]
    ]
    if as_csv:
        import csv

        csv.writer(sys.stdout).writerows([columns, *rows])
        return
    cli.console.facts({"day": day, "revenue": yuan(found["revenue"]["amount_fen"])})
    cli.console.table(columns, rows)


def _post(cli: Cli, path: str, body: dict[str, Any] | None = None) -> None:
    """Make a call whose repeat agrees."""
    from wharfage_client.transport import Call

    cli.client.ask(Call(method="POST", path=path, body=body, repeatable=True))


def _show(cli: Cli, run: dict[str, Any], breaks: list[dict[str, Any]]) -> None:
    cli.console.facts(
        {
            "day": run["day"],
            "channel": run["channel"],
            "stage": run["stage"],
            "trouble": run["trouble"],
            "payments": f"{run['payments']}, {yuan(run['payments_fen'])}",
            "refunds": f"{run['refunds']}, {yuan(run['refunds_fen'])}",
            "open breaks": run["open_breaks"],
        }
    )
    rows = [
        (each["id"], each["type"], each["state"], each["order"], each["number"],
         _money(each["ours_fen"]), _money(each["theirs_fen"]))
        for each in breaks
    ]  # fmt: skip
    cli.console.table(["break", "type", "state", "order", "number", "ours", "theirs"], rows)


def _money(fen: int | None) -> str | None:
    return None if fen is None else yuan(fen)
