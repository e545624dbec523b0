"""A machine with an engine and an agent: lives that end at any moment, and a supervisor."""

from dataclasses import dataclass
from functools import partial
from random import Random

from tests.agent.fakes import MACHINE
from tests.simulation.bells import SimInbox, SimSqs
from tests.simulation.carrier import (
    Disk,
    HostClock,
    SimCarrier,
    SimChance,
    SimJournal,
    SimLanes,
    SimSelector,
)
from tests.simulation.engine import SimEngine
from tests.simulation.engine_client import EngineClient
from tests.simulation.network import Control, SimCloud, SimTransfers
from tests.simulation.schedule import Process, Scheduler
from wharfage_agent.attempts import Key
from wharfage_agent.effects import Surroundings
from wharfage_agent.heartbeat import Heartbeat, Lease
from wharfage_agent.logs import LogPump
from wharfage_agent.loops import Leaving, Loops, News, Parts
from wharfage_agent.policy import Policy
from wharfage_agent.ports import WorkerPorts
from wharfage_agent.receiver import Receiver
from wharfage_agent.worker import Worker

WIDTHS = {"start": 4, "finish": 4, "pull": 4, "carry": 4}


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Which host a machine is."""

    host: str
    token: str


class Machine:
    """One machine. Its engine and its disk outlive the agent."""

    def __init__(
        self,
        name: str,
        *,
        scheduler: Scheduler,
        chance: Random,
        engine: SimEngine,
        clock: HostClock,
        policy: Policy,
    ) -> None:
        self.name = name
        self.scheduler = scheduler
        self.chance = chance
        self.engine = engine
        self.clock = clock
        self.policy = policy
        self.disk = Disk()
        self.cut_until = 0.0
        self.frozen_until = 0.0
        self.impaired_at = 0.0  #: When something was last wrong with it.
        self.on = True
        self.supervised = True  #: An agent that leaves is begun again.
        self.restart_seconds = 5.0
        self.process: Process | None = None
        self.loops: Loops | None = None
        self.parts: Parts | None = None
        self.lives = 0
        self.left: list[Leaving] = []

    def join(self, identity: Identity, control: Control, sqs: SimSqs, *, wire: bool) -> None:
        """Become a host."""
        self.identity = identity
        self._control = control
        self._sqs = sqs
        self._wire = wire

    @property
    def cut(self) -> bool:
        """Tell whether nothing gets in or out."""
        return self.scheduler.now < self.cut_until

    @property
    def sound(self) -> bool:
        """Tell whether nothing at all is wrong with this machine just now."""
        now = self.scheduler.now
        alive = self.process is not None and not self.process.dead
        return alive and self.on and not (self.cut or self.engine.down or now < self.frozen_until)

    def begin(self) -> None:
        """Begin a life of the agent, unless one is running or the machine is off."""
        if not self.on or (self.process is not None and not self.process.dead):
            return
        self.lives += 1
        self.loops, self.parts = None, None
        process = self.process = Process(self.scheduler, f"{self.name}.{self.lives}")
        process.spawn(partial(self._live, process))

    def kill(self) -> None:
        """End the agent at once."""
        self.note_impaired()
        if self.process is not None:
            self.process.kill()

    def freeze(self, seconds: float) -> None:
        """Stop the agent, and let it go on later as if nothing had been."""
        self.frozen_until = max(self.frozen_until, self.scheduler.now + seconds)
        self.note_impaired(seconds)
        if self.process is not None:
            self.process.frozen_until = self.frozen_until

    def cut_off(self, seconds: float) -> None:
        """Cut the machine off for a while."""
        self.cut_until = max(self.cut_until, self.scheduler.now + seconds)
        self.note_impaired(seconds)

    def note_impaired(self, seconds: float = 0.0) -> None:
        """Remember that something is wrong, for so long."""
        self.impaired_at = max(self.impaired_at, self.scheduler.now + seconds)

    def _live(self, process: Process) -> None:
        parts = self._assemble(process)
        self.parts = parts
        self.loops = Loops(parts, handover=False)
        why = self.loops.run()
        self.left.append(why)
        self.note_impaired()
        process.kill()
        self.scheduler.at(self.scheduler.now + self.restart_seconds, self._begin_again)

    def _begin_again(self) -> None:
        if self.supervised:
            self.begin()

    def _surroundings(self, boot: str) -> Surroundings:
        return Surroundings(
            host=self.identity.host,
            boot=boot,
            machine=MACHINE,
            policy=self.policy,
            hosts_file=None,
        )

    def _assemble(self, process: Process) -> Parts:
        """Put the agent together, as `runtime.assemble` does."""
        scheduler, chance, rates = self.scheduler, self.chance, self._control.rates
        boot = self.disk.next_boot(self.clock.now(), chance)
        lanes = SimLanes(process, WIDTHS)
        carrier = SimCarrier(process)
        draw = SimChance(chance)
        engine = EngineClient(self.engine, chance, rates, settle_seconds=self.policy.settle_seconds)
        token = self.identity.token
        cloud = SimCloud(self._control, place=self, token=lambda: token, wire=self._wire)
        lease = Lease(self.clock)
        output = carrier.signal()
        worker_of: list[Worker] = []

        def logs_ended(key: Key) -> None:
            worker_of[0].learn(key, logs_ended=True)

        logs = LogPump(
            engine,
            cloud,
            self.clock,
            draw,
            selector=SimSelector(self.engine),
            ended=logs_ended,
            wake=output.set,
        )
        journal = SimJournal(self.disk, scheduler, chance)
        worker = Worker(
            WorkerPorts(
                engine=engine,
                cloud=cloud,
                transfers=SimTransfers(self._control, place=self),
                journal=journal,
                logs=logs,
                clock=self.clock,
                chance=draw,
                tasks=lanes,
            ),
            self._surroundings(boot),
            lease=lease,
        )
        worker_of.append(worker)
        heartbeat = Heartbeat(cloud, self.clock, lease, boot=boot, engine_version=MACHINE.version)
        inbox = SimInbox(self._sqs, scheduler, cloud, host=self.identity.host, cut=lambda: self.cut)
        return Parts(
            engine=engine,
            cloud=cloud,
            inbox=inbox,
            journal=journal,
            worker=worker,
            logs=logs,
            heartbeat=heartbeat,
            receiver=Receiver(inbox, cloud, self.clock, worker, heartbeat, boot=boot),
            clock=self.clock,
            chance=draw,
            carrier=carrier,
            news=News(clock=lanes.clock, report=lanes.reporter, room=lanes.receiver, output=output),
            volume_used_mb=self.engine.used_mb,
            boot=boot,
        )
