"""How a stand-in tells the merchant: what is owed is sent until the answer is a yes."""

import logging
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from infrastructure.local.sandbox.trades import SUCCESS, Faults, Notify, Trade, Trades, new_trade_no

logger = logging.getLogger(__name__)

#: Waits between sends, in seconds; a channel's own are minutes to hours, over a day and more.
SCHEDULE = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
SEND_SECONDS = 10.0  #: How long an answer is waited for.
_COPIES_MAX = 50
#: Faults that are used up when a notify is written, and when it is sent.
_OF_A_FORM = ("delay", "reorder", "wrong_amount", "wrong_seller", "twice")
_OF_A_SEND = ("repeat", "tamper")


class Sender(ABC):
    """Sends notifies of trades from one thread of its own; each channel writes its own."""

    def __init__(
        self,
        trades: Trades,
        *,
        schedule: Sequence[float] = SCHEDULE,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._trades = trades
        self._schedule = tuple(schedule)
        self._now = now
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
        # Loopback only, so a proxy of the environment has no business here.
        self._opener = build_opener(ProxyHandler({}))

    @abstractmethod
    def form(self, trade: Trade, faults: Faults, now: float, refund: str | None = None) -> bytes:
        """Write the body of a notify, wrong if that is asked for."""

    @abstractmethod
    def dressed(self, body: bytes, faults: Faults) -> tuple[bytes, Mapping[str, str]]:
        """Make what is sent of a body: itself and its headers."""

    def told(self, status: int, text: str) -> str:
        """Write down an answer that is no error."""
        return text

    @abstractmethod
    def took(self, answer: str) -> bool:
        """Tell whether what was written down of an answer is a yes."""

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the sends that are under way."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def tell(self, trade: Trade, *, refund: str | None = None) -> None:
        """Owe the merchant a notify of how a trade stands now, perhaps because of a *refund*."""
        if trade.notify_url is None:
            return
        faults, now = self._trades.take(trade.order_no, *_OF_A_FORM), self._now()
        due_at = now + faults.delay + faults.reorder * secrets.randbelow(1000) / 1000
        self._trades.owe(
            trade.order_no, trade.notify_url, self.form(trade, faults, now, refund), due_at=due_at
        )
        if faults.twice and trade.status == SUCCESS and refund is None:
            twin = replace(trade, trade_no=new_trade_no(now))
            self._trades.twin(str(twin.trade_no), trade.order_no)
            other = self.form(twin, faults, now)
            self._trades.owe(trade.order_no, trade.notify_url, other, due_at=due_at)
        self._wake.set()

    def again(self, order_no: str) -> int:
        """Send every notify of an order again; say how many there are."""
        found = self._trades.again(order_no, now=self._now())
        self._wake.set()
        return found

    def _run(self) -> None:
        with ThreadPoolExecutor(8, thread_name_prefix="notify") as senders:
            while True:
                self._wake.clear()
                if self._stop.is_set():  # Looked at after the clear, or the wake-up is lost.
                    return
                for _ in senders.map(self._deliver, self._trades.due(self._now())):
                    pass
                due_at = self._trades.next_due()
                wait = None if due_at is None else max(0.0, due_at - self._now())
                self._wake.wait(timeout=wait)

    def _deliver(self, notify: Notify) -> None:
        if self._trades.spend("drop", notify.order_no):
            answer = "dropped on purpose"
        else:
            faults = self._trades.take(notify.order_no, *_OF_A_SEND)
            copies = 1 + min(max(faults.repeat, 0), _COPIES_MAX)
            with ThreadPoolExecutor(copies) as senders:
                answers = list(senders.map(lambda _: self._post(notify, faults), range(copies)))
            answer = next(filter(self.took, answers), answers[0])
        due_at = None
        if not self.took(answer) and notify.sends < len(self._schedule):
            due_at = self._now() + self._schedule[notify.sends]
        self._trades.sent(notify, answer=answer, due_at=due_at)
        logger.info("notify of %s: %s", notify.order_no, answer[:80])

    def _post(self, notify: Notify, faults: Faults) -> str:
        body, headers = self.dressed(notify.body, faults)
        request = Request(notify.url, data=body, headers=headers, method="POST")  # noqa: S310
        try:
            with self._opener.open(request, timeout=SEND_SECONDS) as answer:
                return self.told(answer.status, answer.read(1024).decode("latin-1"))
        except HTTPError as error:
            with error:
                return f"{error.code} " + error.read(200).decode("latin-1")
        except (OSError, HTTPException) as error:
            return f"no answer: {type(error).__name__}"
