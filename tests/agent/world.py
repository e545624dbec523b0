"""An agent's core among simulators: lives that end at any moment, one engine, one control plane."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tests.agent.fake_cloud import FakeControl
from tests.agent.fakes import (
    DIGEST,
    MACHINE,
    FakeChance,
    FakeClock,
    FakeEngine,
    FakeLogs,
    FakeTasks,
    FakeTransfers,
)
from wharfage.messages import AssignmentsRequest, Doorbell
from wharfage_agent.attempts import Image, Key
from wharfage_agent.effects import Surroundings
from wharfage_agent.errors import Fenced, WillPass
from wharfage_agent.heartbeat import Heartbeat, Lease
from wharfage_agent.journal import FileJournal
from wharfage_agent.policy import Policy
from wharfage_agent.ports import Bell, WorkerPorts
from wharfage_agent.receiver import Receiver
from wharfage_agent.worker import Worker

POLICY = Policy(local_images=("local/",), settle_seconds=30.0)


class FakeInbox:
    """The bells of a FakeControl, each heard until it is deleted."""

    def __init__(self, control: FakeControl) -> None:
        self._control = control

    def receive(self, *, at_most: int, wait_seconds: int) -> list[Bell]:
        return [
            Bell(msgspec.json.decode(text, type=Doorbell), receipt)
            for receipt, text in self._control.bells[:at_most]
        ]

    def delete(self, bells: Sequence[Bell]) -> None:
        gone = {bell.receipt for bell in bells}
        self._control.bells[:] = [m for m in self._control.bells if m[0] not in gone]

    def nudged(self, *, wait_seconds: int) -> bool:
        found = bool(self._control.nudges)
        self._control.nudges.clear()
        return found


class Life:
    """One life of the agent, carried by hand."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.boot = f"bot_{number:04d}"
        self.tasks = FakeTasks()
        self.lease = Lease(world.clock)
        self.logs = FakeLogs(lambda key: self.worker.learn(key, logs_ended=True))
        self.journal = FileJournal(world.journal)
        self.worker = Worker(
            WorkerPorts(
                engine=world.engine,
                cloud=world.control,
                transfers=world.transfers,
                journal=self.journal,
                logs=self.logs,
                clock=world.clock,
                chance=FakeChance(),
                tasks=self.tasks,
            ),
            Surroundings(
                host="hst_0001",
                boot=self.boot,
                machine=MACHINE,
                policy=world.policy,
                hosts_file=None,
            ),
            lease=self.lease,
        )
        self.heartbeat = Heartbeat(
            world.control, world.clock, self.lease, boot=self.boot, engine_version="20.10"
        )
        self.receiver = Receiver(
            FakeInbox(world.control),
            world.control,
            world.clock,
            self.worker,
            self.heartbeat,
            boot=self.boot,
        )
        self._next_beat = 0.0
        self._next_sweep = world.clock.seconds + 30
        self._recovered = False

    def round(self) -> None:
        """Do what every thread of the agent would do about now."""
        world, worker = self.world, self.worker
        if not self._recovered:
            if not self._passes(worker.recover):
                return
            self._recovered = True
        if world.clock.seconds >= self._next_beat and self._passes(self._beat):
            self._next_beat = world.clock.seconds + 10
        while world.engine.happened:
            container, action = world.engine.happened.pop(0)
            worker.heard(container=container, died=action == "die")
        if world.clock.seconds >= self._next_sweep and self._passes(worker.sweep):
            self._next_sweep = world.clock.seconds + 30
        self._passes(self.receiver.once)
        worker.tick()
        self.tasks.run()
        self._passes(worker.reporter.flush)
        self.tasks.run()

    def _beat(self) -> None:
        self.heartbeat.beat(self.worker.condition(), held=self.worker.held)
        asked_at = self.world.clock.monotonic()
        reply = self.world.control.assignments(AssignmentsRequest(boot=self.boot))
        self.receiver.ask_for(self.worker.apply(reply, asked_at=asked_at))

    def _passes(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except (WillPass, Fenced):
            return False
        return True


class World:
    """A host, its engine, and the control plane it belongs to."""

    def __init__(self, directory: Path, *, policy: Policy = POLICY) -> None:
        self.clock = FakeClock()
        self.engine = FakeEngine(self.clock)
        self.engine.images["local/demo:1"] = Image(reference="local/demo:1", digest=DIGEST, user="")
        self.control = FakeControl()
        self.transfers = FakeTransfers()
        self.control.kept = self.transfers.kept
        self.control.next_seconds = 10
        self.policy = policy
        self.journal = directory / "journal.jsonl"
        self._lives = 0
        self.life = self._new_life()

    def crash(self) -> None:
        """End the agent at once, and begin another life with what is on disk."""
        self.engine.happened.clear()
        self.life = self._new_life()

    def pass_time(self, seconds: float = 1.0) -> None:
        self.clock.seconds += seconds
        self.engine.pass_time()
        self.life.round()

    def until(self, done: Callable[[], bool], *, within: float = 600.0) -> None:
        deadline = self.clock.seconds + within
        self.life.round()
        while not done():
            assert self.clock.seconds < deadline, "it did not come to pass"
            self.pass_time()

    def container(self, job: str, attempt: int = 1) -> str | None:
        name = Key(job, attempt).container
        return next(
            (b.view.status for b in self.engine.boxes.values() if b.view.name == name), None
        )

    def _new_life(self) -> Life:
        self._lives += 1
        return Life(self, self._lives)
