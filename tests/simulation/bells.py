"""The simulated queues: messages that are lost, repeated, reordered, late, purged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from greenlet import GreenletExit

from tests.simulation.schedule import Scheduler, SimSignal
from wharfage.messages import Doorbell
from wharfage_agent.errors import InboxAway
from wharfage_agent.ports import Bell, Cloud

VISIBILITY_SECONDS = 30.0
LATE_SECONDS = 90.0
SEND_SECONDS = 0.02
RENEW_SECONDS = 840.0  #: Credentials live for fifteen minutes.


@dataclass(kw_only=True, slots=True)
class Message:
    """One message; it is there until it is deleted, and hidden for a while when received."""

    number: int
    body: Doorbell | None
    visible_at: float


class SimSqs:
    """Every queue there is, and the sending side: `ports.Queue`."""

    def __init__(self, scheduler: Scheduler, chance: Random, rates: dict[str, float]) -> None:
        self.rates = rates
        self._scheduler = scheduler
        self._chance = chance
        self._messages: dict[str, list[Message]] = {}
        self._arrivals: dict[str, SimSignal] = {}
        self._number = 0
        self.queue("pool-default")

    # For operations.

    def ring(self, pool: str, bells: Sequence[Doorbell]) -> None:
        self._scheduler.sleep(SEND_SECONDS * self._chance.random())
        for bell in bells:
            self._send(f"pool-{pool}", bell)

    def nudge(self, host: str) -> None:
        self._scheduler.sleep(SEND_SECONDS * self._chance.random())
        self._send(f"host-{host}", None)

    def open_mailbox(self, host: str) -> str:
        self.queue(f"host-{host}")
        return f"host-{host}"

    def close_mailbox(self, host: str) -> None:
        self._messages.pop(f"host-{host}", None)

    # For inboxes.

    def receive(self, queue: str, *, at_most: int, wait_seconds: float) -> list[Message]:
        """Wait for messages; what is handed out is hidden for a while. Raises: InboxAway."""
        until = self._scheduler.now + wait_seconds
        while True:
            held = self._messages.get(queue)
            if held is None:
                raise InboxAway("there is no such queue")
            now = self._scheduler.now
            found = [message for message in held if message.visible_at <= now]
            if found:
                self._chance.shuffle(found)
                for message in found[:at_most]:
                    if self._chance.random() >= self.rates["message_twice"]:
                        message.visible_at = now + VISIBILITY_SECONDS
                return found[:at_most]
            if now >= until:
                return []
            later = min((message.visible_at for message in held), default=until)
            self._arrivals[queue].clear()
            self._arrivals[queue].wait(timeout=min(later, until) - now)

    def delete(self, queue: str, numbers: set[int]) -> None:
        held = self._messages.get(queue)
        if held is not None:
            held[:] = [message for message in held if message.number not in numbers]

    def queue(self, name: str) -> None:
        self._messages.setdefault(name, [])
        self._arrivals.setdefault(name, SimSignal(self._scheduler))

    # For the faults.

    def purge(self) -> None:
        for held in self._messages.values():
            held.clear()

    def _send(self, queue: str, body: Doorbell | None) -> None:
        draw = self._chance.random
        if draw() < self.rates["message_lost"]:
            return
        copies = 2 if draw() < self.rates["message_twice"] else 1
        for _ in range(copies):
            late = draw() < self.rates["message_late"]
            self._number += 1
            message = Message(number=self._number, body=body, visible_at=0.0)
            delay = LATE_SECONDS * draw() if late else 0.05 * draw()
            self._scheduler.at(self._scheduler.now + delay, self._arrive, queue, message)

    def _arrive(self, queue: str, message: Message) -> None:
        if queue in self._messages:
            self._messages[queue].append(message)
            self._arrivals[queue].set()


class SimInbox:
    """A host's two queues, as its agent reaches them. *cut* tells whether it can."""

    def __init__(
        self, sqs: SimSqs, scheduler: Scheduler, cloud: Cloud, *, host: str, cut: Callable[[], bool]
    ) -> None:
        self._sqs = sqs
        self._scheduler = scheduler
        self._cloud = cloud
        self._pool = "pool-default"
        self._mailbox = f"host-{host}"
        self._cut = cut
        self._good_until = -1.0

    def receive(self, *, at_most: int, wait_seconds: int) -> list[Bell]:
        found = self._received(self._pool, at_most, wait_seconds)
        return [Bell(message.body, str(message.number)) for message in found]

    def delete(self, bells: Sequence[Bell]) -> None:
        self._reach()
        self._sqs.delete(self._pool, {int(bell.receipt) for bell in bells})

    def nudged(self, *, wait_seconds: int) -> bool:
        found = self._received(self._mailbox, 10, wait_seconds)
        self._sqs.delete(self._mailbox, {message.number for message in found})
        return bool(found)

    def _received(self, queue: str, at_most: int, wait_seconds: int) -> list[Message]:
        self._reach()
        try:
            found = self._sqs.receive(queue, at_most=at_most, wait_seconds=wait_seconds)
        except InboxAway:
            self._good_until = -1.0
            raise
        if self._cut():  # They are hidden for a while, and nobody has them.
            raise InboxAway("cut")
        return found

    def _reach(self) -> None:
        task = self._scheduler.current
        if task is None or task.process.dead:
            raise GreenletExit
        if self._scheduler.now >= self._good_until:
            self._cloud.credentials()
            self._good_until = self._scheduler.now + RENEW_SECONDS
        self._scheduler.sleep(0.005)
        if self._cut():
            self._scheduler.sleep(5.0)
            raise InboxAway("cut")
