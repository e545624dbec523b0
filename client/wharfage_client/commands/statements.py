"""What was used and paid, on paper: usage, statement."""

import re

import click

from wharfage_client.commands.money import write_csv
from wharfage_client.money import price, yuan
from wharfage_client.verbs import Cli, Read, Verb, cli_of


def a_day(text: str) -> str:
    """Read a day as `2026-03-01`. Raises: ValueError."""
    from datetime import date

    if date.fromisoformat(text).isoformat() != text:
        raise ValueError(text)
    return text


def _a_month(text: str) -> str:
    if not re.fullmatch(r"20[0-9]{2}-(?:0[1-9]|1[0-2])", text, re.ASCII):
        raise ValueError(text)
    return text


MONTH = Read("MONTH", _a_month, "a month, as 2026-03")
DAY = Read("DAY", a_day, "a day, as 2026-03-01")


@click.command(cls=Verb)
@click.option("--since", type=DAY, help="The first day; a week before the last unless given.")
@click.option("--until", type=DAY, help="The last day; today unless given.")
@click.argument("job", required=False)
@click.pass_context
def usage(ctx: click.Context, *, since: str | None, until: str | None, job: str | None) -> None:
    """Show what your jobs used day by day, or JOB by its attempts."""
    cli = cli_of(ctx)
    if job is not None:
        if since or until:
            raise click.UsageError("A job is shown whole, without --since and --until.")
        _show_job(cli, cli.find(job, "job", "/v1/jobs"))
        return
    found = cli.client.usage.days(since=since, until=until)
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    rows = [
        (each["day"], each["jobs"], each["attempts"], _thousandths(each["vcpu_ms"]),
         yuan(each["amount_fen"]), each["units"])
        for each in found
    ]  # fmt: skip
    cli.console.table(["day", "jobs", "attempts", "vCPU seconds", "amount", "units"], rows)


@click.command(cls=Verb)
@click.option("--csv", "as_csv", is_flag=True, help="Write every entry of the month as CSV.")
@click.argument("month", type=MONTH)
@click.pass_context
def statement(ctx: click.Context, *, as_csv: bool, month: str) -> None:
    """Show MONTH: what there was, each kind of move, what is left."""
    cli = cli_of(ctx)
    if as_csv:
        if cli.flags.as_json:
            raise click.UsageError("--csv and --json cannot both be had.")
        write_csv(cli.client.statements.entries(month))
        return
    found = cli.client.statements.show(month)
    if cli.flags.as_json:
        cli.console.emit(found)
        return
    rows = [
        ("opening", None, yuan(found["opening_fen"]), found["opening_units"]),
        *(
            (line["code"], line["count"], yuan(line["amount_fen"]), line["units"])
            for line in found["lines"]
        ),
        ("closing", None, yuan(found["closing_fen"]), found["closing_units"]),
    ]
    cli.console.table(["line", "entries", "amount", "units"], rows)
    if not found["complete"]:
        cli.console.note(cli.words("statement.open", month=month))


def _show_job(cli: Cli, job_id: str) -> None:
    found = cli.client.usage.job(job_id)
    if cli.flags.as_json:
        cli.console.emit(found)
        return
    rows = [
        (each["attempt"], each["status"], each["charged_seconds"], _thousandths(each["vcpu_ms"]),
         price(each["amount_fen"], each["units"]), each["reason_code"])
        for each in found["lines"]
    ]  # fmt: skip
    cli.console.table(["attempt", "status", "seconds", "vCPU seconds", "cost", "reason"], rows)
    cli.console.facts(
        {
            "an hour": yuan(found["hourly_fen"]) if found["template"] is None else None,
            "cost": price(found["amount_fen"], found["units"]),
            "settled": "yes" if found["settled"] else "not yet",
        }
    )


def _thousandths(count: int) -> str:
    whole, part = divmod(count, 1000)
    return f"{whole}.{part:03d}"
