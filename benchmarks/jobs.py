"""Jobs through the whole stack against the same containers run straight on the same engine.

    python -m benchmarks.jobs [--rounds 5] [--jobs 24] [--json FILE]

The rival is what one would write by hand: threads that speak plain HTTP to the engine, with one
kept connection each, and create, start, wait, inspect, read the log and remove. Its containers are
the agent's own, from the agent's builder: just as hardened, with the same network recipe. It holds
no money, keeps no record, and loses everything when it is killed.

Both run in turn, round by round, on one stack that is brought up for it. *In flight* jobs are as
many customers (threads), each with one job at a time, who wait for its end with the API's long
poll. In a burst all are submitted at once, timed until the last end is on record, and the rival
has as many threads as the agent has lanes.
"""

import argparse
import itertools
import json
import os
import secrets
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.support import RawEngine, Usage, customer, local_stack, moment, say
from infrastructure.local.images import DEMO_IMAGE
from infrastructure.local.stack import Stack
from wharfage.domain.limits import LOG_CAP_BYTES
from wharfage.domain.price import Resources
from wharfage.domain.spec import JobSpec
from wharfage.messages import Grant
from wharfage_agent import containers
from wharfage_agent.engine import DockerEngine
from wharfage_agent.identity import State
from wharfage_agent.policy import load
from wharfage_agent.runtime import LANES_PER_CPU
from wharfage_client.api import WAIT_SECONDS, Client
from wharfage_client.views import Job

IN_FLIGHT = (1, 4)
NOTHING = ("true",)
A_MOMENT = ("sleep", "0.3")  #: Long enough for its start to be told apart from its end.
RESOURCES = Resources(cpu_millis=100, memory_mb=64, disk_mb=16)
RUN_SECONDS = 60
FUNDS_FEN = 100_000
MILLISECONDS = 1000
CHILDREN = ("agent", "gateway", "emulator")
IDLE_SECONDS = 5.0
RATE = "jobs/s"
BURST = f"{RATE}, a burst"

Figures = dict[str, list[float]]
Side = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """One job's moments, in seconds since 1970; None where nobody saw it."""

    submitted: float
    running: float | None  #: Known to run by who asked for it.
    exited: float | None  #: By the engine's own clock.
    ended: float  #: Its end is on record; for the rival: known.


class Rival:
    """The same containers, straight on the engine."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.engine_url
        agent = State(stack.paths.agent)
        engine = DockerEngine(self._url, host="hst_rival")
        self._image = engine.image(DEMO_IMAGE)
        self._machine = engine.machine()
        self._policy = load(stack.paths.stack / "agent-policy.toml")
        self._hosts_file = str(agent.hosts_file()) if self._machine.paths_shared else None
        self._own = threading.local()
        self.lanes = LANES_PER_CPU * self._machine.cpu_count

    def run(self, command: Sequence[str]) -> Times:
        """Run one container to its end."""
        engine = self._engine()
        name = f"rival-{secrets.token_hex(8)}"
        submitted = time.time()
        created = engine.call("POST", "/containers/create", self._config(command), name=name)["Id"]
        container = f"/containers/{created}"
        engine.call("POST", f"{container}/start")
        running = time.time()
        code = engine.call("POST", f"{container}/wait")["StatusCode"]
        exited = moment(engine.call("GET", f"{container}/json")["State"]["FinishedAt"])
        ended = time.time()
        assert code == 0, code
        engine.call("GET", f"{container}/logs", stdout="1", stderr="1")
        engine.call("DELETE", container, v="1")
        return Times(submitted=submitted, running=running, exited=exited, ended=ended)

    def _engine(self) -> RawEngine:
        if not hasattr(self._own, "engine"):
            self._own.engine = RawEngine(self._url)
        engine: RawEngine = self._own.engine
        return engine

    def _config(self, command: Sequence[str]) -> dict[str, Any]:
        assert self._image is not None, f"{DEMO_IMAGE} is not on this engine"
        return containers.config(
            _grant(command),
            self._image,
            host="hst_rival",
            boot="bot_rival",
            machine=self._machine,
            policy=self._policy,
            hosts_file=self._hosts_file,
        )


class Product:
    """Jobs of a customer, through the whole stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._exits: dict[str, float] = {}  # By the container's name.
        self._client = Client(stack.url)

    def sign_up(self) -> None:
        """Become a new customer with money: each has an allowance of submits of its own."""
        self._client = Client(self._stack.url, token=customer(self._stack, fen=FUNDS_FEN))

    def run(self, command: Sequence[str]) -> Times:
        """Run one job to its end."""
        submitted = time.time()
        return self.followed(self.submit(command), submitted)

    def submit(self, command: Sequence[str]) -> Job:
        """Submit one job."""
        resources = {name: getattr(RESOURCES, name) for name in RESOURCES.__struct_fields__}
        return self._client.jobs.submit(
            {
                "image": DEMO_IMAGE,
                "command": list(command),
                "resources": resources,
                "max_run_s": RUN_SECONDS,
            }
        )

    def followed(self, job: Job, submitted: float) -> Times:
        """Wait until a job has ended."""
        while not job["is_terminal"]:
            job = self._client.jobs.get(
                job["id"], wait_seconds=WAIT_SECONDS, version=job["version"]
            )
        assert job["status"] == "succeeded", job
        assert job["ended_at"] is not None
        return Times(
            submitted=submitted,
            running=moment(job["started_at"]) if job["started_at"] else None,
            exited=self._exits.get(f"wharfage-{job['id']}-{job['attempt']}"),
            ended=moment(job["ended_at"]),
        )

    def usage(self, child: str) -> Usage:
        """Read what a child of the stack has used until now."""
        return Usage.of(self._stack, child)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note, while it lasts, when containers exit by the engine's own clock."""
        listener, looker = RawEngine(self._stack.engine_url), RawEngine(self._stack.engine_url)

        def listen() -> None:
            for event in listener.events(
                type=["container"], event=["die"], label=[containers.HOST_LABEL]
            ):
                found = looker.call("GET", f"/containers/{event['id']}/json")
                self._exits[found["Name"].lstrip("/")] = moment(found["State"]["FinishedAt"])

        thread = threading.Thread(target=listen, name="exits")
        thread.start()
        try:
            yield
        finally:
            listener.close()
            thread.join()


@dataclass(kw_only=True, slots=True)
class Found:
    """What was measured, by line of the table: one figure a round, or one a job."""

    ours: dict[str, list[float]] = field(default_factory=dict)
    theirs: dict[str, list[float]] = field(default_factory=dict)
    alone: dict[str, list[float]] = field(default_factory=dict)  #: What the rival has not.


def measure(stack: Stack, *, rounds: int, jobs: int) -> Found:
    """Let both run in turn."""
    rival, product, found = Rival(stack), Product(stack), Found()
    product.sign_up()
    rival.run(NOTHING)
    product.run(NOTHING)  # Neither pays for what only the first one ever pays.
    found.alone["agent, idle, % of a core"] = [_idle_percent(product)]
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}")
        product.sign_up()
        for count in IN_FLIGHT:
            sides = (
                partial(_rate, found.theirs, rival.run, threads=count, jobs=jobs),
                partial(_rate, found.ours, product.run, threads=count, jobs=jobs),
            )
            _in_turn(number, sides)
        sides = (partial(_burst_alone, found, rival, jobs), partial(_burst, found, product, jobs))
        _in_turn(number, sides)
        sides = (
            partial(_latencies, found.theirs, rival.run, jobs=jobs),
            partial(_watched_latencies, found.ours, product, jobs=jobs),
        )
        _in_turn(number, sides)
    return found


def _in_turn(number: int, sides: tuple[Side, Side]) -> None:
    """Let the other side begin in every other round."""
    for side in sides if number % 2 else reversed(sides):
        side()


def _rate(
    figures: Figures, run: Callable[[Sequence[str]], Times], *, threads: int, jobs: int
) -> None:
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, itertools.repeat(NOTHING, jobs)))
    _put(figures, f"{RATE}, {threads} in flight", jobs / (time.perf_counter() - began))


def _burst(found: Found, product: Product, jobs: int) -> None:
    """Submit all at once; note what the children used for it."""
    before = {child: product.usage(child) for child in CHILDREN}
    submitted = time.time()
    with ThreadPoolExecutor(IN_FLIGHT[-1]) as pool:
        given = list(pool.map(product.submit, itertools.repeat(NOTHING, jobs)))
    elapsed = max(product.followed(job, submitted).ended for job in given) - submitted
    for child, used in before.items():
        now = product.usage(child)
        _put(found.alone, f"{child}, CPU ms a job", (now.cpu_ms - used.cpu_ms) / jobs)
        if child == "agent":
            _put(found.alone, "agent, MB", now.memory_mb)
    _put(found.ours, BURST, jobs / elapsed)


def _burst_alone(found: Found, rival: Rival, jobs: int) -> None:
    began = time.perf_counter()
    with ThreadPoolExecutor(rival.lanes) as pool:
        list(pool.map(rival.run, itertools.repeat(NOTHING, jobs)))
    _put(found.theirs, BURST, jobs / (time.perf_counter() - began))


def _latencies(figures: Figures, run: Callable[[Sequence[str]], Times], *, jobs: int) -> None:
    """Run one job after another and note how long each step of it took."""
    for _ in range(jobs):
        times = run(A_MOMENT)
        if times.running is not None:
            _put(figures, "ms, submit to running", (times.running - times.submitted) * MILLISECONDS)
        if times.exited is not None:
            _put(figures, "ms, exit to its record", (times.ended - times.exited) * MILLISECONDS)


def _watched_latencies(figures: Figures, product: Product, *, jobs: int) -> None:
    with product.watched():
        _latencies(figures, product.run, jobs=jobs)


def _idle_percent(product: Product) -> float:
    before = product.usage("agent").cpu_ms
    time.sleep(IDLE_SECONDS)
    return (product.usage("agent").cpu_ms - before) / (IDLE_SECONDS * MILLISECONDS) * 100


def _put(figures: Figures, line: str, figure: float) -> None:
    figures.setdefault(line, []).append(figure)


def _grant(command: Sequence[str]) -> Grant:
    """Make what the control plane would have granted for one of our jobs."""
    return Grant(
        account="acc_rival",
        job=f"job_{secrets.token_hex(8)}",
        attempt=1,
        claim_id="clm_rival",
        lease_seconds=0,
        spec=JobSpec(image=DEMO_IMAGE, command=tuple(command), resources=RESOURCES),
        max_run_s=RUN_SECONDS,
        image_digest=None,
        log_cap_bytes=LOG_CAP_BYTES,
        preparing_seconds=RUN_SECONDS,
        starting_seconds=RUN_SECONDS,
    )


def show(found: Found) -> str:
    """Write the table: medians with least and most, and how both sides compare."""
    lines = [f"{'':24}{'stack':>24}{'engine alone':>24}  ratio"]
    for line, ours in found.ours.items():
        theirs = found.theirs[line]
        lines.append(
            f"{line:24}{_spread(ours):>24}{_spread(theirs):>24}  {_ratio(line, ours, theirs)}"
        )
    lines += [f"{line:24}{_spread(figures):>24}" for line, figures in found.alone.items()]
    return "\n".join(lines)


def _ratio(line: str, ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Compare rates round by round, for both sides of a round had the same machine."""
    if not line.startswith(RATE):
        return f"{statistics.median(ours) / statistics.median(theirs):.2f}"
    ratios = [one / two for one, two in zip(ours, theirs, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _spread(figures: Sequence[float]) -> str:
    return f"{statistics.median(figures):.1f} ({min(figures):.1f} to {max(figures):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=24, help="of each kind in each round")
    parser.add_argument("--json", type=Path, help="where to write every single figure")
    asked = parser.parse_args()
    with local_stack() as stack:
        found = measure(stack, rounds=asked.rounds, jobs=asked.jobs)
    print(show(found))
    if asked.json:
        every = {"stack": found.ours | found.alone, "engine": found.theirs}
        asked.json.write_text(json.dumps(every, indent=2) + "\n")


if __name__ == "__main__":
    main()
