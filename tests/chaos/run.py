"""One run: bring the parts up, let customers work and faults come, heal, drain, and judge."""

import contextlib
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import plan, timeline, work
from tests.chaos.books import Auditor, Snapshot, wait_for
from tests.chaos.customers import Customer, Log, images
from tests.chaos.events import Recorder, ours
from tests.chaos.injector import Injector
from tests.chaos.parts import Parts, fresh
from tests.chaos.verdict import Evidence, verdict
from tests.fixtures.stack import Caller
from wharfage.domain.job import AttemptRecord, Job

#: Twice through a lost host, with the longest program and the back-off between: then it is lost.
DRAIN_SECONDS = 420.0
LEFTOVER_SECONDS = 120.0
LOG_SECONDS = 100.0
_SAY_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Crowd:
    """Everybody who takes part in a run or watches it."""

    customers: list[Customer]
    recorder: Recorder
    auditor: Auditor
    injector: Injector
    hosts: dict[str, str]  #: Agent's name to host.


@dataclass(kw_only=True)
class Run:
    """A run of one seed."""

    seed: int
    seconds: float
    jobs: int
    folder: Path
    say: Callable[[str], None]
    loads: list[float] = field(default_factory=list)

    def carry_out(self) -> dict[str, Any]:
        """Run; write the verdict and the timeline into the folder; return the verdict."""
        parts = Parts(fresh(self.folder))
        with parts.running():
            seen = self._live(parts)
            result = verdict(seen)
        (self.folder / "verdict.json").write_text(json.dumps(result, indent=2) + "\n")
        (self.folder / "timeline.html").write_text(timeline.page(seen, result))
        return result

    def _live(self, parts: Parts) -> Evidence:
        faults = plan.faults(self.seed, self.seconds)
        silences = [fault.at for fault in faults if fault.kind is plan.FaultKind.SILENCE]
        works = work.jobs(self.seed, self.seconds, self.jobs, silences)
        crowd = Crowd(
            customers=self._customers(parts, works),
            recorder=Recorder(parts.engine),
            auditor=Auditor(parts.stack.paths.store),
            injector=Injector(parts=parts, seed=self.seed),
            hosts={name: parts.host(name) for name in plan.AGENTS},
        )
        crowd.recorder.start()
        crowd.auditor.start()
        self.say(f"{len(works)} jobs and {len(faults)} faults in {self.seconds:.0f} s")
        began = time.time()
        with self._watched(crowd.auditor, crowd.injector):
            threads = [
                threading.Thread(target=each.live, args=(began, self.seconds), daemon=True)
                for each in crowd.customers
            ]
            for thread in threads:
                thread.start()
            crowd.injector.carry_out(faults, began)
            crowd.injector.heal()
            healed = time.time()
            self.say("healed; draining")
            for thread in threads:
                thread.join()
            return self._rest(parts, crowd, began, healed)

    def _rest(self, parts: Parts, crowd: Crowd, began: float, healed: float) -> Evidence:
        """Wait until nothing is under way, and gather what is left."""
        wait_for(lambda: not _open(crowd.auditor), seconds=DRAIN_SECONDS, every=1.0)
        drained_after = time.time() - healed
        wait_for(lambda: not ours(parts.engine), seconds=LEFTOVER_SECONDS, every=0.5)
        cleared_after = time.time() - healed
        leftovers = ours(parts.engine)
        logs = self._logs(crowd.customers, crowd.auditor.look())
        crowd.auditor.stop()
        crowd.recorder.stop()
        return Evidence(
            seed=self.seed,
            began=began,
            ended=time.time(),
            works={
                each.jobs[w.number]: w
                for each in crowd.customers
                for w in each.works
                if w.number in each.jobs
            },
            customers=crowd.customers,
            injector=crowd.injector,
            auditor=crowd.auditor,
            lives=dict(crowd.recorder.lives),
            hosts=crowd.hosts,
            last=crowd.auditor.look(),
            store=parts.stack.paths.store,
            logs=logs,
            trades=crowd.injector.trades(),
            secrets=_secrets(parts, crowd.customers),
            log_files=_log_files(parts),
            drained_after=round(drained_after, 1),
            cleared_after=round(cleared_after, 1),
            leftovers=leftovers,
            deaths=[
                f"{agent.name} after {at - began:.0f} s: {how}"
                for agent in parts.wired.values()
                for at, how in agent.deaths
            ],
            loads=self.loads,
        )

    def _customers(self, parts: Parts, works: list[work.Work]) -> list[Customer]:
        url = parts.stack.url
        found = [
            Customer(
                caller=Caller(url=url, password=f"canary-{secrets.token_urlsafe(12)}"),
                works=[each for each in works if each.customer == number],
                images=images(*parts.stack.images),
                seed=f"customer {number} of {self.seed}",
                canary=f"canary-{secrets.token_urlsafe(18)}",
            )
            for number in range(work.CUSTOMERS)
        ]
        for customer in found:
            customer.open()
        return found

    def _logs(self, customers: list[Customer], seen: Snapshot) -> dict[tuple[str, int], Log]:
        """Read the log of every attempt; what is incomplete is read again until it is late."""
        owner = {job: each for each in customers for job in each.jobs.values()}
        deadline = time.monotonic() + LOG_SECONDS

        def whole(record: AttemptRecord) -> tuple[tuple[str, int], Log]:
            key = (record.job, record.attempt)
            while not (log := owner[record.job].log(*key)).complete:
                if time.monotonic() > deadline:
                    break
                time.sleep(1)
            return key, log

        records = [each for each in seen.all(AttemptRecord) if each.job in owner]
        with ThreadPoolExecutor(4) as readers:
            return dict(readers.map(whole, records))

    @contextlib.contextmanager
    def _watched(self, auditor: Auditor, injector: Injector) -> Any:
        """Say now and then how it goes."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(_SAY_SECONDS):
                load = os.getloadavg()[0]
                self.loads.append(load)
                count = f"{len(injector.done)} faults, {auditor.reads} reads of the books"
                self.say(f"load {load:.1f}: {count}, {len(auditor.faults)} broken promises")

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _open(auditor: Auditor) -> list[str]:
    try:
        return [job.id for job in auditor.look().all(Job) if not job.terminal]
    except sqlite3.OperationalError:
        return ["unknown"]


def _secrets(parts: Parts, customers: list[Customer]) -> dict[str, str]:
    """List what no log may hold."""
    keys = parts.stack.stack.keys
    found = {
        "the operator's code": parts.operator_code,
        "the operator's password": parts.operator.password,
        "the operator's token": parts.operator.token,
        "the key that signs tokens": keys.jwt_secret.read_text().strip(),
        "the key that signs payments": keys.app_private.read_text().splitlines()[1],
    }
    for number, customer in enumerate(customers):
        found[f"the password of customer {number}"] = customer.caller.password
        found[f"the variable of customer {number}"] = customer.canary
        for place, token in enumerate(customer.tokens):
            found[f"token {place} of customer {number}"] = token
    for agent in parts.wired.values():
        found[f"the code of {agent.name}"] = agent.code
        found[f"the token of {agent.name}"] = agent.token.partition(".")[2]
    return found


def _log_files(parts: Parts) -> list[Path]:
    """List the logs of every process."""
    folders = (parts.stack.paths.logs, parts.paths.logs)
    return [parts.stack.home / "up.log", *(f for folder in folders for f in folder.glob("*.log*"))]
