"""What one seed makes of a run: which faults come when, and which jobs the customers submit."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

OWN, SECOND, THIRD = "own", "second", "third"
AGENTS = (OWN, SECOND, THIRD)
WIRED = (SECOND, THIRD)  #: Their networks can be cut.
CONTROL, PAYMENTS, NETWORK = "control", "payments", "network"  #: Lanes beside the agents'.

SILENCE_SECONDS = 105.0  #: Longer than lease, grace and the start elsewhere.
SILENCE_EVERY_SECONDS = 250.0
QUIET_BEFORE_SECONDS = 15.0
GAP_SECONDS = 8.0  #: From one fault of a lane to its next, on average.


class FaultKind(StrEnum):
    """What can go wrong."""

    KILL_AGENT = "kill_agent"
    FREEZE_AGENT = "freeze_agent"
    CUT = "cut"  #: Connections are reset, new ones as well.
    HALF_OPEN = "half_open"  #: Connections stay, and nothing passes.
    DROP_ANSWERS = "drop_answers"  #: What is asked arrives, the answers do not.
    SLOW = "slow"  #: Everything comes late.
    SILENCE = "silence"  #: Cut or frozen for so long that the host is given up.
    DISK_FULL = "disk_full"
    CLOCK_SKEW = "clock_skew"
    REPLAY_REQUESTS = "replay_requests"
    REPLAY_NOTIFIES = "replay_notifies"
    WILD_NOTIFIES = "wild_notifies"  #: Repeated, reordered, late, dropped, paid twice.
    KILL_ENGINE = "kill_engine"
    KILL_GATEWAY = "kill_gateway"
    FREEZE_GATEWAY = "freeze_gateway"
    KILL_QUEUES = "kill_queues"
    FREEZE_QUEUES = "freeze_queues"
    KILL_STACK = "kill_stack"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault: *at* seconds after the start of the load, for *seconds*."""

    kind: FaultKind
    lane: str  #: Faults of one lane come one after another.
    at: float
    seconds: float
    detail: float = 0.0  #: Seconds of skew or slowness; a chance from 0 to 1 for the rest.


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A time in which a host is silent, and nothing else stands in the way of moving its work."""

    victim: str
    begins: float
    ends: float

    def meets(self, fault: Fault) -> bool:
        return fault.at < self.ends and fault.at + fault.seconds > self.begins


_AGENT_KINDS = (FaultKind.KILL_AGENT, FaultKind.KILL_AGENT, FaultKind.FREEZE_AGENT)
_WIRE_KINDS = (FaultKind.CUT, FaultKind.HALF_OPEN, FaultKind.DROP_ANSWERS, FaultKind.SLOW)
_LANES: dict[str, tuple[FaultKind, ...]] = {
    OWN: _AGENT_KINDS,
    SECOND: (*_AGENT_KINDS, *_WIRE_KINDS, FaultKind.DISK_FULL),
    THIRD: (*_AGENT_KINDS, *_WIRE_KINDS, FaultKind.CLOCK_SKEW),
    PAYMENTS: (FaultKind.REPLAY_NOTIFIES, FaultKind.WILD_NOTIFIES),
    NETWORK: (FaultKind.REPLAY_REQUESTS,),
    CONTROL: (
        FaultKind.KILL_GATEWAY,
        FaultKind.FREEZE_GATEWAY,
        FaultKind.KILL_ENGINE,
        FaultKind.KILL_QUEUES,
        FaultKind.FREEZE_QUEUES,
        FaultKind.KILL_STACK,
    ),
}
#: How short and how long a fault lasts, and how often it is a long one.
_SPANS: dict[FaultKind, tuple[tuple[float, float], tuple[float, float], float]] = {
    FaultKind.FREEZE_AGENT: ((3, 15), (20, 120), 0.25),
    FaultKind.CUT: ((5, 15), (20, 120), 0.2),
    FaultKind.HALF_OPEN: ((5, 15), (20, 120), 0.2),
    FaultKind.DROP_ANSWERS: ((5, 15), (20, 60), 0.2),
    FaultKind.SLOW: ((5, 15), (20, 60), 0.3),
    FaultKind.DISK_FULL: ((4, 12), (15, 40), 0.3),
    FaultKind.CLOCK_SKEW: ((10, 20), (20, 60), 0.3),
    FaultKind.WILD_NOTIFIES: ((10, 20), (20, 40), 0.5),
    FaultKind.KILL_ENGINE: ((0.2, 2), (3, 12), 0.3),
    FaultKind.FREEZE_GATEWAY: ((3, 12), (15, 45), 0.2),
    FaultKind.FREEZE_QUEUES: ((3, 12), (15, 30), 0.2),
}
#: What may happen while a host is silent on purpose: nothing that keeps its work where it is.
_HARMLESS = (
    FaultKind.REPLAY_NOTIFIES,
    FaultKind.WILD_NOTIFIES,
    FaultKind.KILL_AGENT,
)


def windows(chance: random.Random, seconds: float) -> list[Window]:
    """Spread the silences over the run; a short run has none."""
    count = int(seconds // SILENCE_EVERY_SECONDS)
    found = []
    for number in range(count):
        room = seconds / count - SILENCE_SECONDS - QUIET_BEFORE_SECONDS - 10
        begins = number * seconds / count + QUIET_BEFORE_SECONDS + 5 + chance.uniform(0, room)
        found.append(
            Window(victim=chance.choice(WIRED), begins=begins, ends=begins + SILENCE_SECONDS)
        )
    return found


def faults(seed: int, seconds: float) -> list[Fault]:
    """Draw the faults of a run, in the order of time; all are over when it ends."""
    chance = random.Random(f"faults {seed}")
    silent = windows(chance, seconds)
    drawn = [
        Fault(
            kind=FaultKind.SILENCE,
            lane=window.victim,
            at=window.begins,
            seconds=window.ends - window.begins,
            detail=chance.random(),
        )
        for window in silent
    ]
    for lane in _LANES:
        drawn += _of_lane(chance, lane, seconds, silent)
    return sorted(drawn, key=lambda fault: fault.at)


def _of_lane(
    chance: random.Random, lane: str, seconds: float, silent: list[Window]
) -> Iterator[Fault]:
    kinds = _LANES[lane]
    deck = chance.sample(once := list(dict.fromkeys(kinds)), len(once))
    longer = 0.0  # In the first round all are short, so that each of them comes.
    gap = GAP_SECONDS * (2 if lane in (CONTROL, PAYMENTS) else 1)
    at = chance.uniform(3, gap)
    while at < seconds - 5:
        if not deck:  # Every kind has its turn before one comes again.
            deck = chance.sample(kinds, len(kinds))
            longer = 1.0
        kind = deck.pop()
        length = min(_length(chance, kind, longer), seconds - at - 1)
        fault = Fault(kind=kind, lane=lane, at=at, seconds=length, detail=_detail(chance, kind))
        met = next((window for window in silent if _stands_in_the_way(window, fault)), None)
        if met is not None:
            deck.append(kind)
            at = met.ends + chance.uniform(1, gap)
            continue
        yield fault
        at += length + chance.expovariate(1 / gap) + 1


def _stands_in_the_way(window: Window, fault: Fault) -> bool:
    wide = Window(
        victim=window.victim, begins=window.begins - QUIET_BEFORE_SECONDS, ends=window.ends
    )
    return wide.meets(fault) and (fault.lane == window.victim or fault.kind not in _HARMLESS)


def _length(chance: random.Random, kind: FaultKind, longer: float) -> float:
    short, long, often = _SPANS.get(kind, ((0, 0), (0, 0), 0))
    return chance.uniform(*(long if chance.random() < often * longer else short))


def _detail(chance: random.Random, kind: FaultKind) -> float:
    if kind is FaultKind.CLOCK_SKEW:
        return chance.choice([-600.0, -90.0, 90.0, 600.0])
    if kind is FaultKind.SLOW:
        return chance.uniform(0.1, 2.0)
    return chance.random()
