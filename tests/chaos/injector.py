"""Carries the faults of a plan into the parts, lane by lane, and writes down when and what."""

import contextlib
import http.client
import json
import logging
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from infrastructure.local.process import ChildFailed
from tests.chaos.books import boot_of, read, wait_for
from tests.chaos.customers import AWAY
from tests.chaos.events import ours
from tests.chaos.parts import SKEW_LIBRARIES, Parts
from tests.chaos.plan import Fault, FaultKind
from tests.chaos.proxy import Mode
from tests.chaos.tape import Request
from wharfage.domain.job import AttemptRecord

log = logging.getLogger(__name__)

ADOPTION_SECONDS = 60.0
REPLAYS = 12
_MODES = {
    FaultKind.CUT: Mode.CUT,
    FaultKind.HALF_OPEN: Mode.HALF_OPEN,
    FaultKind.DROP_ANSWERS: Mode.DROP_ANSWERS,
    FaultKind.SLOW: Mode.SLOW,
}
_WIRES = ((), ("gateway",), ("queues",))  #: All of them, or one.
_CALM = {
    "repeat": 0, "reorder": 0.0, "delay": 0.0, "drop": 0, "tamper": False,
    "wrong_amount": False, "wrong_seller": False, "twice": False,
}  # fmt: skip


@dataclass
class Done:
    """A fault that was carried out."""

    kind: str
    lane: str
    began: float
    ended: float = 0.0
    note: str = ""
    failed: bool = False
    #: Of a killed agent: after how long its next life was heard, holding so many containers.
    adopted: float | None = None
    held: int = 0

    def meets(self, begins: float, ends: float) -> bool:
        return self.began < ends and self.ended > begins


@dataclass
class Injector:
    """Hurts the parts as planned. *began* is the start of the load."""

    parts: Parts
    seed: int
    done: list[Done] = field(default_factory=list)
    accepted_stale: list[str] = field(default_factory=list)
    replayed: dict[str, int] = field(default_factory=dict)
    notifies_replayed: int = 0

    def carry_out(self, faults: list[Fault], began: float) -> None:
        """Carry out every fault in its time; return when all are over."""
        lanes: dict[str, list[Fault]] = {}
        for fault in faults:
            lanes.setdefault(fault.lane, []).append(fault)
        threads = [
            threading.Thread(target=self._drive, args=(lane, began), name=name, daemon=True)
            for name, lane in lanes.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def heal(self) -> None:
        """Take everything back, and have every notify that is owed sent."""
        for agent in self.parts.wired.values():
            agent.wire(Mode.OPEN)
            agent.free_disk()
            agent.skew(0)
            agent.send(signal.SIGCONT)
        for name in ("gateway", "emulator", "agent"):
            with contextlib.suppress(AssertionError):
                self.parts.child(name).send(signal.SIGCONT)
        self._control("/control/faults", _CALM)
        for trade in self.trades():
            self._control(f"/control/trades/{trade['order_no']}/notify", {})

    def trades(self) -> list[Any]:
        """List the trades that the sandbox knows."""
        found: list[Any] = self._control("/control/trades", None)
        return found

    def _drive(self, lane: list[Fault], began: float) -> None:
        for fault in lane:
            time.sleep(max(0.0, began + fault.at - time.time()))
            noted = Done(kind=fault.kind.value, lane=fault.lane, began=time.time())
            try:
                _ACTS[fault.kind](self, fault, noted)
            except (AssertionError, ChildFailed, *AWAY, sqlite3.Error) as error:
                noted.failed = True
                noted.note += f" {type(error).__name__}: {error}"[:400]
            except Exception:  # The edge of one fault: the others come all the same.
                log.exception("a fault could not be carried out")
                noted.failed = True
            noted.ended = time.time()
            self.done.append(noted)

    # Agents.

    def _kill_agent(self, fault: Fault, noted: Done) -> None:
        host = self.parts.host(fault.lane)
        store = self.parts.stack.paths.store
        noted.held = len(ours(self.parts.engine, host=host, everything=False))
        boot = boot_of(store, host)
        self.parts.send(fault.lane, signal.SIGKILL)
        noted.began = time.time()
        noted.adopted = wait_for(
            lambda: boot_of(store, host) not in (None, boot), seconds=ADOPTION_SECONDS
        )

    def _freeze_agent(self, fault: Fault, _: Done) -> None:
        self.parts.send(fault.lane, signal.SIGSTOP)
        try:
            time.sleep(fault.seconds)
        finally:
            self.parts.send(fault.lane, signal.SIGCONT)

    def _wire(self, fault: Fault, noted: Done) -> None:
        agent = self.parts.wired[fault.lane]
        which = _WIRES[int(fault.detail * len(_WIRES)) % len(_WIRES)]
        noted.note = "+".join(which) or "all"
        agent.wire(_MODES[fault.kind], which=which, delay=fault.detail)
        try:
            time.sleep(fault.seconds)
        finally:
            agent.wire(Mode.OPEN)

    def _silence(self, fault: Fault, noted: Done) -> None:
        if fault.detail < 0.5:
            noted.note = "frozen"
            self._freeze_agent(fault, noted)
            return
        noted.note = "cut off"
        agent = self.parts.wired[fault.lane]
        agent.wire(Mode.HALF_OPEN if fault.detail < 0.75 else Mode.CUT)
        try:
            time.sleep(fault.seconds)
        finally:
            agent.wire(Mode.OPEN)

    def _disk_full(self, fault: Fault, _: Done) -> None:
        agent = self.parts.wired[fault.lane]
        agent.fill_disk()
        try:
            time.sleep(fault.seconds)
        finally:
            agent.free_disk()

    def _skew(self, fault: Fault, noted: Done) -> None:
        assert SKEW_LIBRARIES, "libfaketime is not installed"
        noted.note = f"{fault.detail:+.0f} s"
        agent = self.parts.wired[fault.lane]
        agent.skew(fault.detail)
        try:
            time.sleep(fault.seconds)
        finally:
            agent.skew(0)

    # The control plane and the engine.

    def _kill_engine(self, fault: Fault, _: Done) -> None:
        self.parts.engine.kill()
        time.sleep(fault.seconds)
        self.parts.engine.start_again()

    def _kill_child(self, fault: Fault, noted: Done) -> None:
        name = "gateway" if fault.kind is FaultKind.KILL_GATEWAY else "emulator"
        said = self.parts.stack.home / "up.log"
        before = len(said.read_text())
        self.parts.stack.kill_child(name)
        back = wait_for(lambda: f"{name} is running again" in said.read_text()[before:], seconds=60)
        noted.note = "did not come back" if back is None else f"back after {back:.1f} s"
        noted.failed = back is None

    def _freeze_child(self, fault: Fault, _: Done) -> None:
        record = self.parts.child(
            "gateway" if fault.kind is FaultKind.FREEZE_GATEWAY else "emulator"
        )
        record.send(signal.SIGSTOP)
        try:
            time.sleep(fault.seconds)
        finally:
            record.send(signal.SIGCONT)

    def _kill_stack(self, _: Fault, __: Done) -> None:
        self.parts.stack.kill()
        self.parts.stack.up()

    # What was said is said again.

    def _replay_requests(self, fault: Fault, noted: Done) -> None:
        chance = random.Random(f"{self.seed} {fault.at}")
        agent = self.parts.wired[chance.choice(list(self.parts.wired))]
        for request in agent.tape.draw(chance, ("reports", "logs", "assignments"), REPLAYS):
            self._replay(request)
            if request.call == "reports":
                self._replay(_forged(request), forged=True)
        for request in agent.tape.draw(chance, ("claims",), 1):
            self._replay(request)
        noted.note = agent.name

    def _replay(self, request: Request, *, forged: bool = False) -> None:
        """Say it again; what it reports of attempts that had ended must not be accepted."""
        before = read(self.parts.stack.paths.store)
        ended = {(each.job, each.attempt) for each in before.all(AttemptRecord)}
        status, answer = request.send(self.parts.stack.url)
        self.replayed[request.call] = self.replayed.get(request.call, 0) + 1
        if request.call != "reports" or status != http.client.OK:
            return
        for report, said in zip(request.json["reports"], answer["reports"], strict=True):
            stale = forged or (report["job"], report["attempt"]) in ended
            if stale and said["outcome"] == "accepted":
                self.accepted_stale.append(f"{report} was accepted")

    def _replay_notifies(self, fault: Fault, noted: Done) -> None:
        chance = random.Random(f"{self.seed} {fault.at}")
        trades = self.trades()
        for trade in chance.sample(trades, min(8, len(trades))):
            self._control(f"/control/trades/{trade['order_no']}/notify", {})
            self.notifies_replayed += 1
        noted.note = f"of {min(8, len(trades))} orders"

    def _wild_notifies(self, fault: Fault, noted: Done) -> None:
        chance = random.Random(f"{self.seed} {fault.at}")
        wild = _CALM | {
            "repeat": chance.choice([0, 2, 5]),
            "reorder": chance.choice([0.0, 5.0]),
            "delay": chance.choice([0.0, 3.0]),
            "drop": chance.choice([0, 2]),
            "twice": chance.random() < 0.3,
        }
        noted.note = json.dumps({name: value for name, value in wild.items() if value})
        self._control("/control/faults", wild)
        try:
            time.sleep(fault.seconds)
        finally:
            self._control("/control/faults", _CALM)

    def _control(self, path: str, body: Any) -> Any:
        """Ask the sandbox, until it answers."""
        found: list[Any] = []

        def ask() -> bool:
            with contextlib.suppress(*AWAY):
                found.append(_ask(self.parts.stack.stack.sandboxes.alipay_url, path, body))
            return bool(found)

        assert wait_for(ask, seconds=90, every=0.3) is not None, "the sandbox does not answer"
        return found[0]


def _ask(url: str, path: str, body: Any) -> Any:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    sent = None if body is None else json.dumps(body)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", path, body=sent, headers=headers)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def _forged(request: Request) -> Request:
    """Say the same of a claim that never was."""
    body = request.json
    for report in body["reports"]:
        last = report["claim_id"][-1]
        report["claim_id"] = report["claim_id"][:-1] + ("0" if last != "0" else "1")
        report["seq"] += 1
    return request.altered(body)


Act = Callable[[Injector, Fault, Done], None]
_ACTS: dict[FaultKind, Act] = {
    FaultKind.KILL_AGENT: Injector._kill_agent,
    FaultKind.FREEZE_AGENT: Injector._freeze_agent,
    FaultKind.CUT: Injector._wire,
    FaultKind.HALF_OPEN: Injector._wire,
    FaultKind.DROP_ANSWERS: Injector._wire,
    FaultKind.SLOW: Injector._wire,
    FaultKind.SILENCE: Injector._silence,
    FaultKind.DISK_FULL: Injector._disk_full,
    FaultKind.CLOCK_SKEW: Injector._skew,
    FaultKind.REPLAY_REQUESTS: Injector._replay_requests,
    FaultKind.REPLAY_NOTIFIES: Injector._replay_notifies,
    FaultKind.WILD_NOTIFIES: Injector._wild_notifies,
    FaultKind.KILL_ENGINE: Injector._kill_engine,
    FaultKind.KILL_GATEWAY: Injector._kill_child,
    FaultKind.FREEZE_GATEWAY: Injector._freeze_child,
    FaultKind.KILL_QUEUES: Injector._kill_child,
    FaultKind.FREEZE_QUEUES: Injector._freeze_child,
    FaultKind.KILL_STACK: Injector._kill_stack,
}
