"""The simulated network and the functions behind it: requests to real operations, lost and late."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any, Protocol, TypeVar

import msgspec
from greenlet import GreenletExit

from tests.fixtures.objects import LinkSpoilt, MemoryObjects
from tests.simulation.schedule import Process, Scheduler, Task
from tests.simulation.store import RequestDied
from wharfage.domain.errors import (
    RateLimited,
    Refused,
    StaleBoot,
    Unauthenticated,
    Unavailable,
)
from wharfage.domain.host import HostPrincipal
from wharfage.messages import (
    AssignmentsReply,
    AssignmentsRequest,
    ClaimsReply,
    ClaimsRequest,
    CredentialsReply,
    EnrolReply,
    EnrolRequest,
    HeartbeatReply,
    HeartbeatRequest,
    LogsReply,
    LogsRequest,
    OutputsReply,
    OutputsRequest,
    ReportsReply,
    ReportsRequest,
)
from wharfage.operations import agents, claims, hosts, logs, outputs, reports
from wharfage.ports import Ports
from wharfage_agent.errors import (
    CloudAway,
    CloudRefused,
    Fenced,
    FilesAway,
    FilesRefused,
    Revoked,
)

TIMEOUT_SECONDS = 5.0
WAY_SECONDS = 0.03
SLOW_SECONDS = 9.0
CALLS_MAX = 25  #: A request that dies does so before so many calls of the store.
UNAUTHORIZED, CONFLICT = 401, 409

T = TypeVar("T")


class Place(Protocol):
    """Somebody who sends requests: whether the world can be reached from there."""

    name: str

    @property
    def cut(self) -> bool: ...


class Control:
    """The control plane: it serves each request in a process that may die in the middle."""

    def __init__(
        self, scheduler: Scheduler, chance: Random, rates: dict[str, float], ports: Ports
    ) -> None:
        self.scheduler = scheduler
        self.ports = ports
        self.rates = rates
        self.chance = chance
        self.away = False
        self.note: Callable[..., None] = lambda *_: None
        self._process = Process(scheduler, "control")

    def serve(self, work: Callable[[], T], request: object = None) -> Task:
        """Carry *work* out in a process of its own, which may die in the middle."""

        def served() -> None:
            try:
                work()
            except (RequestDied, Refused):  # The caller sees an error, if anybody called.
                return

        task = self._process.spawn(served)
        task.request = request
        if self.chance.random() < self.rates["request_dies"]:
            task.calls_left = int(CALLS_MAX * self.chance.random() ** 2)
        return task

    def fail(self) -> None:
        """Go away, with everything that is being served."""
        self.away = True
        self._process.kill()

    def go_on(self) -> None:
        self.away = False
        if self._process.dead:
            self._process = Process(self.scheduler, "control")

    def ask(self, work: Callable[[], T], *, place: Place, request: object = None) -> T:
        """Send a request from *place* and wait for its answer.

        Raises: what *work* raises; CloudAway when there is no answer in time.
        """
        task = self.scheduler.current
        assert task is not None
        if task.process.dead:
            raise GreenletExit
        call = _Call(self, work, task, place, request)
        draw, rates = self.chance.random, self.rates
        way = (
            SLOW_SECONDS
            if rates["network_slow"] and draw() < rates["network_slow"]
            else WAY_SECONDS
        )
        at, now = self.scheduler.at, self.scheduler.now
        if draw() >= rates["request_lost"]:
            at(now + way * draw(), call.arrive)
        if rates["request_twice"] and draw() < rates["request_twice"]:
            at(now + SLOW_SECONDS * draw(), call.arrive)
        answer = self.scheduler.pause(TIMEOUT_SECONDS)
        if answer is None:
            raise CloudAway("no answer in time")
        if isinstance(answer[0], BaseException):
            raise answer[0]
        return answer[0]  # type: ignore[no-any-return]


class _Call:
    """One request on its way."""

    def __init__(
        self,
        control: Control,
        work: Callable[[], Any],
        task: Task,
        place: Place,
        request: object,
    ) -> None:
        self._control = control
        self._work = work
        self._task = task
        self._generation = task.generation
        self._place = place
        self._request = request

    def arrive(self) -> None:
        if self._place.cut:
            return
        if self._control.away:
            if self._control.chance.random() < 0.5:
                self._answer(CloudAway("503 unavailable"))
            return
        self._control.serve(self._serve, self._request)

    def _serve(self) -> None:
        try:
            self._answer(self._work())
        except Refused as refusal:
            self._answer(refusal)

    def _answer(self, answer: object) -> None:
        control = self._control
        draw, rates = control.chance.random, control.rates
        if draw() < rates["answer_lost"]:
            return
        way = (
            SLOW_SECONDS
            if rates["network_slow"] and draw() < rates["network_slow"]
            else WAY_SECONDS
        )
        control.scheduler.at(control.scheduler.now + way * draw(), self._deliver, answer)

    def _deliver(self, answer: object) -> None:
        if not self._place.cut:
            self._task.resume(self._generation, (answer,))


class AgentRequest:
    """What an agent asks for, for the checkers: from whom, what, and as what it was taken."""

    __slots__ = ("body", "host", "name")

    def __init__(self, name: str, body: Any) -> None:
        self.name = name
        self.body = body
        self.host: HostPrincipal | None = None


class SimCloud:
    """The control plane's eight calls, as one machine reaches them."""

    def __init__(
        self, control: Control, *, place: Place, token: Callable[[], str], wire: bool
    ) -> None:
        self._control = control
        self._place = place
        self._token = token
        self._wire = wire

    def enrol(self, request: EnrolRequest) -> EnrolReply:
        raise NotImplementedError  # Machines are enrolled before their agents live.

    def credentials(self) -> CredentialsReply:
        return self._call("credentials", None, lambda ports, who, _: agents.credentials(ports, who))

    def heartbeat(self, request: HeartbeatRequest) -> HeartbeatReply:
        return self._call("heartbeat", request, agents.heartbeat)

    def assignments(self, request: AssignmentsRequest) -> AssignmentsReply:
        return self._call("assignments", request, agents.assigned)

    def claims(self, request: ClaimsRequest) -> ClaimsReply:
        return self._call("claims", request, claims.claim)

    def reports(self, request: ReportsRequest) -> ReportsReply:
        return self._call("reports", request, reports.receive)

    def logs(self, request: LogsRequest) -> LogsReply:
        return self._call("logs", request, logs.receive)

    def outputs(self, request: OutputsRequest) -> OutputsReply:
        return self._call("outputs", request, outputs.receive)

    def _call(self, name: str, body: Any, operation: Callable[[Ports, HostPrincipal, Any], T]) -> T:
        ports, token = self._control.ports, self._token()
        request = AgentRequest(name, body)

        def work() -> T:
            request.host = hosts.authenticate(ports, token)
            reply = operation(ports, request.host, _through_json(body) if self._wire else body)
            return _through_json(reply) if self._wire else reply

        note = self._control.note
        note(self._place.name, "asks", name, body)
        try:
            reply = self._control.ask(work, place=self._place, request=request)
        except Refused as refusal:
            note(self._place.name, "hears", refusal.code)
            raise _as_agent_hears(refusal) from None
        except CloudAway as away:
            note(self._place.name, "hears", away)
            raise
        note(self._place.name, "hears", reply)
        return reply


class SimTransfers:
    """Where files are kept, as one machine reaches it: slowly, and not always."""

    def __init__(self, control: Control, *, place: Place) -> None:
        assert isinstance(control.ports.objects, MemoryObjects)
        self._control = control
        self._objects = control.ports.objects
        self._place = place

    @contextmanager
    def fetch(self, url: str) -> Iterator[Iterator[bytes]]:
        self._reach()
        try:
            yield iter([self._objects.fetch(url)])
        except LinkSpoilt as spoilt:
            raise FilesRefused(f"the answer is {spoilt.status}") from None

    def send(self, url: str, headers: Mapping[str, str], parts: Iterable[bytes]) -> None:
        whole = list(parts)
        assert headers["content-length"] == str(sum(map(len, whole)))
        self._reach()
        try:
            self._objects.send(url, whole)
        except LinkSpoilt as spoilt:
            raise FilesRefused(f"the answer is {spoilt.status}") from None
        if self._control.chance.random() < self._control.rates["answer_lost"]:
            raise FilesAway("no answer in time")

    def _reach(self) -> None:
        control = self._control
        control.scheduler.sleep(WAY_SECONDS * control.chance.random())
        if self._place.cut or control.chance.random() < control.rates["request_lost"]:
            control.scheduler.sleep(TIMEOUT_SECONDS)
            raise FilesAway("no answer in time")


def _through_json(message: T) -> T:
    if message is None:
        return message
    return msgspec.json.decode(msgspec.json.encode(message), type=type(message))


def _as_agent_hears(refusal: Refused) -> Exception:
    match refusal:
        case Unauthenticated():
            return Revoked(UNAUTHORIZED, refusal.code)
        case StaleBoot():
            return Fenced(CONFLICT, refusal.code)
        case Unavailable() | RateLimited():
            return CloudAway(refusal.code)
        case _:
            return CloudRefused(CONFLICT, refusal.code)
