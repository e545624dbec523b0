"""Pay: drive the local stack's sandbox, step by step, with what goes wrong on purpose."""

import time
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from wharfage_client.errors import LocalError
from wharfage_client.money import yuan
from wharfage_client.quantities import duration, seconds
from wharfage_client.verbs import YUAN, Cli, Read, VerbGroup, cli_of
from wharfage_client.views import Order

if TYPE_CHECKING:
    from wharfage_client.sandbox import Sandbox

_SPAN = Read("SPAN", seconds, "a time, as 30s or 10m")
_COUNT = click.IntRange(min=1)
_LOOK_SECONDS = 0.3
_WAIT_SECONDS = 120  #: The sweeper asks 30 s and 2 min after the order was opened.
_SOON_SECONDS = 6  #: What is refused is sent again for minutes, which nobody has to watch.
_UNPAID = {"open", "closed"}

_SANDBOX = click.option(
    "--sandbox", "at", metavar="URL", envvar="WHARFAGE_SANDBOX",
    help="Where the sandbox is; an open order's page says it. [WHARFAGE_SANDBOX]",
)  # fmt: skip


@click.group(cls=VerbGroup)
@click.pass_context
def pay(ctx: click.Context) -> None:
    """Pay with the local sandbox's money, and choose what goes wrong.

    Nothing but the sandbox of a local stack is ever asked to pay.
    """
    if ctx.invoked_subcommand is None:
        raise click.UsageError("Name what to do: trigger, replay, finish or refund.")


@pay.command()
@click.option("--late", type=_SPAN, help="The notify is sent so much later.")
@click.option("--lost", type=_COUNT, metavar="N", help="So many sends of the notify are lost.")
@click.option("--copies", type=click.IntRange(2, 51), metavar="N", help="Sent so often at once.")
@click.option("--bad-sign", is_flag=True, help="The amount is changed after signing.")
@click.option("--wrong-amount", is_flag=True, help="Another amount is signed.")
@click.option("--wrong-seller", is_flag=True, help="Another seller is signed.")
@click.option("--twice", is_flag=True, help="Paid a second time, by another trade.")
@click.option("--query-lost", type=_COUNT, metavar="N", help="So many queries go unanswered.")
@click.option("--refund-lost", type=_COUNT, metavar="N", help="So many refunds go unanswered.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is credited.")
@click.option("--wait", "wait", type=_SPAN, help="Wait so long; 2m after the notify by default.")
@_SANDBOX
@click.argument("order")
@click.pass_context
def trigger(ctx: click.Context, /, *, order: str, at: str | None, **how: Any) -> None:
    """Pay ORDER at the cashier, and say what happens until it is credited."""
    cli = cli_of(ctx)
    found = _order(cli, order)
    story = Story(cli, found["id"])
    story.tell("order", state=found["state"], amount=yuan(found["amount_fen"]))
    url = _page(cli, found)
    with closing(_at(at or url)) as sandbox:
        cashier = sandbox.bring(url)
        if faults := _faults(how):
            sandbox.wish(found["id"], faults)
            story.tell("wished", faults=", ".join(map(_fault, faults.items())))
        sandbox.pay(cashier)
        story.tell("pressed", url=sandbox.url)
        if how["no_wait"]:
            return
        wait = how["wait"] or _WAIT_SECONDS + (how["late"] or 0)
        story.watch(sandbox, wait_seconds=wait)


@pay.command()
@_SANDBOX
@click.argument("order")
@click.pass_context
def replay(ctx: click.Context, *, order: str, at: str | None) -> None:
    """Have every notify of ORDER sent again, and say how each is answered."""
    _told_again(ctx, order, at, "notify")


@pay.command()
@_SANDBOX
@click.argument("order")
@click.pass_context
def finish(ctx: click.Context, *, order: str, at: str | None) -> None:
    """Let the time in which ORDER can be refunded be over, and tell so."""
    _told_again(ctx, order, at, "finish")


@pay.command()
@_SANDBOX
@click.argument("order")
@click.argument("amount", type=YUAN)
@click.pass_context
def refund(ctx: click.Context, *, order: str, amount: int, at: str | None) -> None:
    """Refund AMOUNT yuan of ORDER in Alipay's console, where nobody asks us."""
    _told_again(ctx, order, at, "refund", amount_fen=amount)


def _told_again(
    ctx: click.Context, order: str, at: str | None, act: str, amount_fen: int = 0
) -> None:
    """Do something to a trade that is paid, and watch what is told of it."""
    cli = cli_of(ctx)
    found = _order(cli, order)
    with closing(_sandbox(cli, found, at)) as sandbox:
        story = Story(cli, found["id"])
        told = sandbox.show(found["id"])["notifies"]
        match act:
            case "notify":
                story.known = {each["id"]: 0 for each in told}
                sandbox.notify(found["id"])
            case "finish":
                story.known = {each["id"]: each["sends"] for each in told}
                sandbox.finish(found["id"])
            case _:
                story.known = {each["id"]: each["sends"] for each in told}
                whole, part = divmod(amount_fen, 100)
                number = f"console{time.time_ns()}"
                sandbox.refund(found["id"], amount=f"{whole}.{part:02d}", number=number)
        story.tell(act, url=sandbox.url)
        story.watch(sandbox, wait_seconds=_WAIT_SECONDS)


class Story:
    """What happens to one order, told as it happens, with the time since the beginning."""

    def __init__(self, cli: Cli, order_id: str) -> None:
        self._cli = cli
        self._order_id = order_id
        self._began = time.monotonic()
        self._before = cli.client.quota.show()["available_fen"]
        self.known: dict[int, int] = {}  #: By notify: how many of its sends were told already.

    def tell(self, step: str, **facts: Any) -> None:
        """Say one step."""
        passed = time.monotonic() - self._began
        if self._cli.flags.as_json:
            event = {"type": "step", "step": step, "at_s": round(passed, 1), "id": self._order_id}
            self._cli.console.emit(event | facts)
            return
        said = self._cli.words(f"paying.{step}", id=self._order_id, **facts)
        self._cli.console.say(f"{passed:6.1f}s  {said}")

    def watch(self, sandbox: "Sandbox", *, wait_seconds: float) -> None:
        """Say what is told and how it is answered, until it is credited and nothing is owed.

        Raises: LocalError, if it is not credited in time.
        """
        ends = time.monotonic() + wait_seconds
        credited = False
        while True:
            # Looked at in this order: an answer is told before what came of it.
            notifies = sandbox.show(self._order_id)["notifies"]
            self._tell_of(notifies)
            order = self._cli.client.orders.get(self._order_id)
            if not credited and (credited := order["state"] not in _UNPAID):
                self.tell("credited", state=order["state"])
            over = credited and not any(map(_awaited, notifies))
            if over or time.monotonic() >= ends:
                break
            time.sleep(_LOOK_SECONDS)
        if not credited:
            raise LocalError("not_credited", id=self._order_id, waited=duration(wait_seconds))
        after = self._cli.client.quota.show()["available_fen"]
        self.tell("balance", before=yuan(self._before), after=yuan(after))

    def _tell_of(self, notifies: list[dict[str, Any]]) -> None:
        for number, each in enumerate(notifies, 1):
            if each["sends"] in {0, self.known.get(each["id"], 0)}:
                continue
            self.known[each["id"]] = each["sends"]
            step = "told" if each["due_at"] is None else "told_again"
            self.tell(step, number=number, sends=each["sends"], answer=each["answer"])


def _awaited(notify: dict[str, Any]) -> bool:
    """Tell whether a notify is worth waiting for: not sent yet, or to be sent again soon."""
    due_at = notify["due_at"]
    return due_at is not None and (notify["sends"] == 0 or due_at - time.time() < _SOON_SECONDS)


def _order(cli: Cli, prefix: str) -> Order:
    return cli.client.orders.get(cli.find(prefix, "ord", "/v1/orders"))


def _sandbox(cli: Cli, order: Order, at: str | None) -> "Sandbox":
    """Find the sandbox: only the page of an open order says where it is. Raises: LocalError."""
    if at is None and order["state"] == "open":
        at = _page(cli, order)
    if at is None:
        raise LocalError("no_sandbox", id=order["id"])
    return _at(at)


def _page(cli: Cli, order: Order) -> str:
    """Ask where an open order is paid: by a page, or by what a QR code says."""
    ways = {each["name"]: each["methods"] for each in cli.client.orders.channels()}
    method = "page" if "page" in ways.get(order["channel"], ()) else "qr"
    pay = cli.client.orders.pay(order["id"], method=method)
    return pay["url"] or pay["qr_text"] or ""


def _at(url: str) -> "Sandbox":
    from wharfage_client.sandbox import Sandbox

    return Sandbox.at(url)


def _faults(how: Mapping[str, Any]) -> dict[str, Any]:
    """Name what is to go wrong as the sandbox does."""
    wanted = {
        "delay": how["late"],
        "drop": how["lost"],
        "repeat": how["copies"] and how["copies"] - 1,
        "tamper": how["bad_sign"],
        "wrong_amount": how["wrong_amount"],
        "wrong_seller": how["wrong_seller"],
        "twice": how["twice"],
        "query_lost": how["query_lost"],
        "refund_lost": how["refund_lost"],
    }
    return {name: value for name, value in wanted.items() if value}


def _fault(fault: tuple[str, Any]) -> str:
    name, value = fault
    return name if value is True else f"{name} {value}"
