"""What the operator looks into: orders that the rules have flagged, notifies that were refused."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wharfage_client.errors import LocalError
from wharfage_client.money import yuan
from wharfage_client.verbs import Cli, Read, VerbGroup, cli_of

if TYPE_CHECKING:
    from wharfage_client.operator import Flagged

_REVIEWS = "/v1/admin/reviews"
_CHANNELS = ("alipay", "wechat", "stripe")
_BYTES_MAX = 64 * 1024  #: More than any notify; the API says which one is too large.


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ValueError(text)
    return name.strip(), value.strip()


_HEADER = Read("HEADER", _header, "a header, as Wechatpay-Nonce: 5K8264IL")


@click.group(cls=VerbGroup)
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.pass_context
def reviews(ctx: click.Context, *, limit: int) -> None:
    """List flagged orders, or decide on one (operator)."""
    if ctx.invoked_subcommand is not None:
        return
    cli = cli_of(ctx)
    found = list(cli.client.reviews.newest(most=limit))
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    rows = [
        (
            each["id"], each["account"], yuan(each["amount_fen"]), each["rule"], each["review"],
            each["state"], each["created_at"],
        )
        for each in found
    ]  # fmt: skip
    cli.console.table(["order", "account", "amount", "rule", "review", "state", "since"], rows)


@reviews.command()
@click.argument("order")
@click.pass_context
def approve(ctx: click.Context, *, order: str) -> None:
    """Let a flagged ORDER be paid, within fifteen minutes from now."""
    cli = cli_of(ctx)
    _show(cli, cli.client.reviews.approve(cli.find(order, "ord", _REVIEWS)))


@reviews.command()
@click.argument("order")
@click.pass_context
def refuse(ctx: click.Context, *, order: str) -> None:
    """Close a flagged ORDER."""
    cli = cli_of(ctx)
    _show(cli, cli.client.reviews.refuse(cli.find(order, "ord", _REVIEWS)))


def _show(cli: Cli, order: "Flagged") -> None:
    if cli.flags.as_json:
        cli.console.emit(order)
        return
    cli.console.say(
        f"{order['id']}  {yuan(order['amount_fen'])}  {order['rule']}: {order['review']}"
    )


@click.group(cls=VerbGroup)
@click.pass_context
def notify(ctx: click.Context) -> None:
    """Look into what a channel has told us (operator)."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("Name what to do: inspect.")


@notify.command()
@click.option("--channel", type=click.Choice(_CHANNELS), default="alipay", show_default=True)
@click.option("--header", "headers", type=_HEADER, multiple=True, help="A header it came with.")
@click.option("--fields", "as_fields", is_flag=True, help="FILE is a JSON object of its fields.")
@click.argument("file")
@click.pass_context
def inspect(
    ctx: click.Context,
    *,
    channel: str,
    headers: tuple[tuple[str, str], ...],
    as_fields: bool,
    file: str,
) -> int:
    """Say which check the notify in FILE fails and why, or what it would do.

    FILE is the body as it was posted; `-` is standard input. Nothing is changed. Exits with 1
    when it would not be believed.
    """
    cli = cli_of(ctx)
    text = _text(file)
    said: dict[str, Any] = {"fields": _fields(file, text)} if as_fields else {"form": text}
    found = cli.client.notifies.inspect({"channel": channel, "headers": dict(headers), **said})
    if cli.flags.as_json:
        cli.console.emit(found)
    elif found["believed"]:
        cli.console.facts(
            {
                "believed": "yes",
                "order": found["order"],
                "news": found["news"] or "none: it is known already",
                "credited": "yes" if found["credited"] else "no",
            }
        )
    else:
        cli.console.facts({"believed": "no", "fails at": found["step"], "why": found["why"]})
    return 0 if found["believed"] else 1


def _text(file: str) -> str:
    """Read a notify. Raises: LocalError."""
    try:
        data = sys.stdin.buffer.read(_BYTES_MAX) if file == "-" else Path(file).read_bytes()
        return data[:_BYTES_MAX].decode()
    except (OSError, UnicodeError) as error:
        raise LocalError("file_unusable", path=file, reason=str(error)) from error


def _fields(file: str, text: str) -> dict[str, str]:
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise LocalError("file_unusable", path=file, reason=str(error)) from error
    if not isinstance(fields, dict):
        raise LocalError("file_unusable", path=file, reason="it is no JSON object")
    return fields
