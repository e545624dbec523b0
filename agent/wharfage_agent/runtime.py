"""The agent on a real machine: its clocks, its threads, its signals, and how it is put together."""

import logging
import random
import selectors
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from wharfage_agent import disk
from wharfage_agent.attempts import Key
from wharfage_agent.backoff import Backoff
from wharfage_agent.cloud import HttpCloud
from wharfage_agent.effects import Surroundings
from wharfage_agent.engine import DockerEngine
from wharfage_agent.errors import EngineAway
from wharfage_agent.heartbeat import Heartbeat, Lease
from wharfage_agent.identity import State
from wharfage_agent.inbox import SqsInbox
from wharfage_agent.journal import FileJournal
from wharfage_agent.lanes import Lanes
from wharfage_agent.logs import LogPump
from wharfage_agent.loops import (
    RETRY_FIRST_SECONDS,
    RETRY_MOST_SECONDS,
    Leaving,
    Loops,
    News,
    Parts,
)
from wharfage_agent.policy import Policy
from wharfage_agent.ports import Machine, WorkerPorts
from wharfage_agent.receiver import Receiver
from wharfage_agent.transfers import HttpTransfers
from wharfage_agent.worker import Worker

log = logging.getLogger(__name__)

LANES_PER_CPU = 2
PULL_LANES = 4
CARRY_LANES = 4


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the time of day."""
        return datetime.now(UTC)


class SystemChance:
    """The machine's random numbers."""

    def uniform(self) -> float:
        """Return a number from 0 to 1."""
        return random.random()  # noqa: S311 - jitter


class Threads:
    """Carries loops on daemon threads: none of them keeps the process from ending."""

    def carry(self, name: str, loop: Callable[[], None]) -> None:
        """Run *loop* on a thread of its own."""
        threading.Thread(target=loop, name=name, daemon=True).start()

    def signal(self) -> threading.Event:
        """Make a signal."""
        return threading.Event()

    def lock(self) -> threading.Lock:
        """Make a lock."""
        return threading.Lock()


def assemble(state: State, policy: Policy, engine: DockerEngine) -> Parts:
    """Put the agent together. Raises: EngineAway, UnusableHost."""
    identity = state.identity
    clock, chance = SystemClock(), SystemChance()
    boot = state.next_boot(clock.now())
    machine = engine.machine()
    lanes = _lanes(machine.cpu_count)
    cloud = HttpCloud(identity.server, token=lambda: state.identity.token)
    lease = Lease(clock)
    output = threading.Event()
    worker_of: list[Worker] = []

    def logs_ended(key: Key) -> None:
        worker_of[0].learn(key, logs_ended=True)

    logs = LogPump(
        engine,
        cloud,
        clock,
        chance,
        selector=selectors.DefaultSelector(),
        ended=logs_ended,
        wake=output.set,
    )
    journal = FileJournal(state.journal)
    worker = Worker(
        WorkerPorts(
            engine=engine,
            cloud=cloud,
            transfers=HttpTransfers(identity.server),
            journal=journal,
            logs=logs,
            clock=clock,
            chance=chance,
            tasks=lanes,
        ),
        _surroundings(state, boot, machine, policy),
        lease=lease,
    )
    worker_of.append(worker)
    heartbeat = Heartbeat(cloud, clock, lease, boot=boot, engine_version=machine.version)
    inbox = SqsInbox(cloud, clock, token_changed=lambda token: _keep_token(state, token))
    return Parts(
        engine=engine,
        cloud=cloud,
        inbox=inbox,
        journal=journal,
        worker=worker,
        logs=logs,
        heartbeat=heartbeat,
        receiver=Receiver(inbox, cloud, clock, worker, heartbeat, boot=boot),
        clock=clock,
        chance=chance,
        carrier=Threads(),
        news=News(clock=lanes.clock, report=lanes.reporter, room=lanes.receiver, output=output),
        volume_used_mb=lambda volume: disk.used_mb(Path(volume)),
        boot=boot,
    )


def _surroundings(state: State, boot: str, machine: Machine, policy: Policy) -> Surroundings:
    return Surroundings(
        host=state.identity.host,
        boot=boot,
        machine=machine,
        policy=policy,
        hosts_file=str(state.hosts_file()) if machine.paths_shared else None,
    )


def _lanes(cpu_count: int) -> Lanes:
    """Make the lanes: beyond two starts for each processor the engine only gets slower."""
    width = LANES_PER_CPU * cpu_count
    return Lanes({"start": width, "finish": width, "pull": PULL_LANES, "carry": CARRY_LANES})


def _keep_token(state: State, token: str) -> None:
    state.keep(msgspec.structs.replace(state.identity, token=token))


def live(parts: Parts, *, handover: bool) -> Leaving:
    """Live one life of the agent, until a signal or the control plane ends it; return why."""
    loops = Loops(parts, handover=handover)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: loops.ask_to_leave())
    return loops.run()


def open_engine(address: str, *, host: str) -> DockerEngine:
    """Wait for the engine, as long as it takes. Raises: UnusableHost."""
    backoff = Backoff(SystemChance(), RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS)
    while True:
        try:
            return DockerEngine(address, host=host)
        except EngineAway as away:
            log.warning("The engine at %s is away: %s", address, away)
            time.sleep(backoff.failed())
