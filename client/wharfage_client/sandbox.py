"""A stand-in for a channel that a local stack runs: a cashier, and a control for what goes wrong.

It is on this machine, and says that it is what it is; nothing else is ever asked to pay.
"""

import json
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from wharfage_client.errors import LocalError, NotTheApi, Unreachable
from wharfage_client.transport import Answer, Call, Transport, checked, loopback

_CASHIER = "/cashier/"


class Sandbox:
    """One stand-in, at its address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._transport = Transport(url)

    @classmethod
    def at(cls, url: str) -> Self:
        """Find the stand-in behind an address, such as that of a page to pay at.

        Raises: LocalError, where there is none: a channel itself is not asked for anything.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if not loopback(checked(origin).hostname or ""):
            raise LocalError("not_the_sandbox", url=origin)
        found = cls(origin)
        answer = found._send(Call(method="GET", path="/control/health"))
        if answer.body != b'{"status":"ok"}':
            raise LocalError("not_the_sandbox", url=origin)
        return found

    def bring(self, url: str) -> str:
        """Open the page that an order is paid at, as a buyer's browser does; find the cashier.

        Raises: LocalError, Unreachable.
        """
        parts = urlsplit(url)
        cashier = parts.path
        if not cashier.startswith(_CASHIER):
            answer = self._send(Call(method="GET", path=f"{parts.path}?{parts.query}"))
            cashier = answer.headers.get("location", "")
            if answer.status != 302 or not cashier.startswith(_CASHIER):
                raise LocalError("sandbox_refused", status=answer.status)
        self._taken(self._send(Call(method="GET", path=cashier)), 200)
        return cashier

    def pay(self, cashier: str) -> None:
        """Press the button; a second press changes nothing. Raises: LocalError, Unreachable."""
        call = Call(method="POST", path=f"{cashier}/pay", repeatable=True)
        self._taken(self._send(call), 303)

    def wish(self, order_id: str, faults: Mapping[str, Any]) -> None:
        """Have something go wrong with this order, once."""
        self._act(order_id, "faults", faults)

    def show(self, order_id: str) -> dict[str, Any]:
        """Show a trade: its status, what was told about it, and what was answered."""
        return self._read(Call(method="GET", path=f"/control/trades/{order_id}"))

    def notify(self, order_id: str) -> None:
        """Send everything again that was ever told about an order."""
        self._act(order_id, "notify", {})

    def finish(self, order_id: str) -> None:
        """Let the time for refunds be over, and tell so."""
        self._act(order_id, "finish", {})

    def refund(self, order_id: str, *, amount: str, number: str) -> None:
        """Refund as in Alipay's console, with a number that the merchant does not know."""
        self._act(order_id, "refund", {"amount": amount, "number": number})

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _act(self, order_id: str, act: str, body: Mapping[str, Any]) -> None:
        path = f"/control/trades/{order_id}/{act}"
        self._read(Call(method="POST", path=path, body=body, repeatable=True))

    def _read(self, call: Call) -> dict[str, Any]:
        """Make a call of the control. Raises: LocalError, NotTheApi, Unreachable."""
        answer = self._send(call)
        self._taken(answer, 200)
        try:
            value = json.loads(answer.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise NotTheApi(self.url, answer.status)
        return value

    def _send(self, call: Call) -> Answer:
        try:
            return self._transport.send(call)
        except Unreachable as error:
            raise LocalError("no_sandbox_there", url=self.url) from error

    def _taken(self, answer: Answer, status: int) -> None:
        if answer.status != status:
            raise LocalError("sandbox_refused", status=answer.status)
