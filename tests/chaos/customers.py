"""The customers: they top up, submit, repeat themselves, cancel, and read, whatever goes wrong."""

import base64
import heapq
import http.client
import itertools
import json
import random
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.work import REGISTRY, RESOURCES, Work
from tests.fixtures.stack import Answer, Caller, press_pay

AWAY = (OSError, http.client.HTTPException, json.JSONDecodeError)
TRIES_SECONDS = 300.0
UNAUTHORIZED, FUNDS, TOO_MANY, BROKEN = 401, 402, 429, 500
TOPUP_FEN = (100, 200, 500, 1000)
READ_EVERY_SECONDS = 4.0
TOPUP_EVERY_SECONDS = 40.0  # Fewer than an account may open in one window.


class GaveUp(Exception):
    """The API did not come back in time."""


@dataclass
class Log:
    """One stream pair of an attempt, as the API gives it."""

    complete: bool
    gap: bool
    truncated: bool
    streams: dict[str, bytes]


@dataclass
class Customer:
    """One customer with a list of what to do and when."""

    caller: Caller
    works: list[Work]
    images: dict[str, str]
    seed: str
    canary: str
    jobs: dict[int, str] = field(default_factory=dict)  #: Number of the work to id of the job.
    orders: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    refused: int = 0
    reads: int = 0
    replays: int = 0
    tokens: list[str] = field(default_factory=list)
    idle: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._order = itertools.count()
        self._list: list[tuple[float, int, Callable[[], None]]] = []

    def open(self) -> None:
        """Register, and pay in enough for everything."""
        self.caller.sign_up()
        self.tokens.append(self.caller.token)
        self.caller.top_up(20 * len(self.works) + 1000)

    def live(self, began: float, seconds: float) -> None:
        """Do everything on the list, each thing when its time comes or as soon as it can be."""
        for work in self.works:
            self._at(work.at, lambda work=work: self._submit(work, began))  # type: ignore[misc]
        for at in _every(READ_EVERY_SECONDS, seconds):
            self._at(at + self.chance.random(), self._look)
        for at in _every(TOPUP_EVERY_SECONDS, seconds):
            self._at(at + 10 * self.chance.random(), self._top_up)
        while self._list:
            at, _, act = heapq.heappop(self._list)
            time.sleep(max(0.0, began + at - time.time()))
            try:
                act()
            except (GaveUp, AssertionError, LookupError, *AWAY) as error:
                self.faults.append(f"{time.time():.1f} {type(error).__name__}: {error}")
        self.idle.set()

    def persist(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> Answer:
        """Ask until there is an answer. Raises: GaveUp."""
        deadline = time.monotonic() + TRIES_SECONDS
        pause = 0.2
        while time.monotonic() < deadline:
            try:
                answer = self.caller.ask(method, path, body, key=key)
            except AWAY:
                answer = None
            if answer is not None and answer.status == UNAUTHORIZED:
                self._sign_in()
            elif answer is not None and answer.status < BROKEN and answer.status != TOO_MANY:
                return answer
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)
        raise GaveUp(f"{method} {path}")

    def log(self, job: str, attempt: int) -> Log:
        """Read the whole log of an attempt, as far as there is one."""
        streams = {"stdout": b"", "stderr": b""}
        cursor = ""
        while True:
            answer = self.persist("GET", f"/v1/jobs/{job}/logs?attempt={attempt}{cursor}")
            page = answer.body
            for part in page["items"]:
                at = len(streams[part["stream"]])
                if part["offset"] != at:
                    self.faults.append(f"log of {job}.{attempt}: {part['offset']} follows {at}")
                streams[part["stream"]] += base64.b64decode(part["data"])
            if page["complete"] or not page["items"]:
                return Log(page["complete"], page["gap"], page["truncated"], streams)
            cursor = f"&cursor={page['next_cursor']}"

    def _sign_in(self) -> None:
        try:
            self.caller.sign_in()
            self.tokens.append(self.caller.token)
        except (AssertionError, *AWAY):
            return  # Asked again with the next try.

    def _at(self, at: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._list, (at, next(self._order), act))

    def _submit(self, work: Work, began: float) -> None:
        body = {
            "image": self.images[work.image],
            "command": ["sh", "-c", work.script],
            "env": {"CANARY": self.canary},
            "resources": RESOURCES,
            "max_run_s": 400,
            **work.spec,
        }
        key = f"work-{work.number}-{secrets.token_hex(4)}"
        with ThreadPoolExecutor(work.copies) as copies:
            asked = [
                copies.submit(self.persist, "POST", "/v1/jobs", body, key=key)
                for _ in range(work.copies)
            ]
            answers = [each.result() for each in asked]
        self.replays += work.copies - 1
        ids = {answer.body["id"] for answer in answers if answer.status == 202}
        if any(answer.status == FUNDS for answer in answers):
            self.refused += 1
        if len(ids) > 1:
            self.faults.append(f"R1 {key}: {ids}")
        if not ids:
            self.faults.append(f"work {work.number} was not accepted: {answers[0]}")
            return
        self.jobs[work.number] = ids.pop()
        if work.cancel_after is not None:
            at = time.time() - began + work.cancel_after
            self._at(at, lambda: self._cancel(self.jobs[work.number]))

    def _cancel(self, job: str) -> None:
        answer = self.persist("POST", f"/v1/jobs/{job}/cancel")
        if answer.status not in (200, 202, 409):
            self.faults.append(f"cancel of {job}: {answer}")

    def _top_up(self) -> None:
        """Pay an order, and do not wait for the credit."""
        body = {"amount_fen": self.chance.choice(TOPUP_FEN), "channel": "alipay"}
        order = self.persist("POST", "/v1/orders", body, key=secrets.token_hex(8))
        number = order.body["id"]
        paying = self.persist("POST", f"/v1/orders/{number}/pay", {"method": "qr"})
        deadline = time.monotonic() + TRIES_SECONDS
        while time.monotonic() < deadline:
            try:
                press_pay(paying.body["qr_text"])
            except (AssertionError, *AWAY):
                time.sleep(0.5)
            else:
                self.orders.append(number)
                return

    def _look(self) -> None:
        """Read the money between two readings of it, and a log if there is one."""
        before = self.persist("GET", "/v1/quota").body
        if min(before["available_fen"], before["held_fen"], before["debt_fen"]) < 0:
            self.faults.append(f"M2 {before}")
        if self.chance.random() < 0.3:
            total = sum(entry["amount_fen"] for entry in self._ledger())
            after = self.persist("GET", "/v1/quota").body
            has = before["available_fen"] + before["held_fen"] - before["debt_fen"]
            if before == after and has != total:
                self.faults.append(f"M1 {before}, and the ledger says {total}")
        self.reads += 1
        if self.jobs:
            self.persist("GET", f"/v1/jobs/{self.chance.choice(list(self.jobs.values()))}/logs")

    def _ledger(self) -> list[Any]:
        entries: list[Any] = []
        path = "/v1/ledger?limit=100"
        while True:
            page = self.persist("GET", path).body
            entries += page["items"]
            if page["next_cursor"] is None:
                return entries
            path = f"/v1/ledger?limit=100&cursor={page['next_cursor']}"


def _every(seconds: float, until: float) -> list[float]:
    return [number * seconds for number in range(1, int(until // seconds) + 1)]


def images(demo: str, registered: str) -> dict[str, str]:
    return {"demo": demo, REGISTRY: registered}
