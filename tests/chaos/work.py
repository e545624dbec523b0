"""The jobs of a run: what each is told to do, and how its program ends if nothing is wrong."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

DEMO, REGISTRY = "demo", "registry"
CUSTOMERS = 4
RESOURCES = {"cpu_millis": 250, "memory_mb": 32, "disk_mb": 16}


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """One job, as it will be submitted, and what must come of it."""

    number: int
    at: float
    customer: int
    kind: str
    script: str
    status: str = "succeeded"
    exit_code: int | None = 0
    stdout: bytes | None = b""  #: None where it depends on when it is stopped.
    stderr: bytes = b""
    spec: dict[str, Any] = field(default_factory=dict)
    image: str = DEMO
    cancel_after: float | None = None
    copies: int = 1  #: How often the same request is made, with the same key.


Make = Callable[[random.Random], dict[str, Any]]


def _echo(chance: random.Random) -> dict[str, Any]:
    text = f"hello {chance.randrange(10**9)}"
    return {"script": f"echo {text}", "stdout": f"{text}\n".encode()}


def _pull(chance: random.Random) -> dict[str, Any]:
    return {**_echo(chance), "image": REGISTRY}


def _exit(chance: random.Random) -> dict[str, Any]:
    code = chance.choice([1, 2, 7, 42, 100, 255])
    return {"script": f"exit {code}", "status": "failed", "exit_code": code}


def _sleep(chance: random.Random) -> dict[str, Any]:
    return {"script": f"sleep {chance.uniform(1, 14):.1f}; echo woken", "stdout": b"woken\n"}


def _writer(chance: random.Random) -> dict[str, Any]:
    lines, pause = chance.randrange(50, 400), chance.choice([0, 0.1, 0.3])
    step = f"[ $((i % 40)) -eq 0 ] && sleep {pause}; " if pause else ""
    script = f"i=1; while [ $i -le {lines} ]; do echo line $i of many; {step}i=$((i+1)); done"
    stdout = b"".join(b"line %d of many\n" % number for number in range(1, lines + 1))
    return {"script": script, "stdout": stdout}


def _bulk(chance: random.Random) -> dict[str, Any]:
    size = chance.randrange(100_000, 900_000)
    text = b"0123456789abcdef\n" * (size // 17 + 1)
    return {"script": f"yes 0123456789abcdef | head -c {size}", "stdout": text[:size]}


def _both(chance: random.Random) -> dict[str, Any]:
    lines = chance.randrange(5, 60)
    script = f"i=1; while [ $i -le {lines} ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"
    numbers = range(1, lines + 1)
    return {
        "script": script,
        "stdout": b"".join(b"out %d\n" % number for number in numbers),
        "stderr": b"".join(b"err %d\n" % number for number in numbers),
    }


def _hog(_: random.Random) -> dict[str, Any]:
    script = 'x=xxxxxxxxxxxxxxxx; while :; do x="$x$x"; done'
    spec = {"resources": RESOURCES | {"memory_mb": 16}}
    return {"script": script, "status": "failed", "exit_code": 137, "stdout": None, "spec": spec}


def _overrun(_: random.Random) -> dict[str, Any]:
    spec = {"max_run_s": 3, "stop_grace_s": 1}
    return {"script": "sleep 300", "status": "timed_out", "exit_code": None, "spec": spec}


def _cancel(chance: random.Random) -> dict[str, Any]:
    return {
        "script": "echo begun; sleep 200",
        "status": "cancelled",
        "exit_code": None,
        "stdout": None,
        "cancel_after": chance.uniform(0, 12),
        "spec": {"stop_grace_s": 1},
    }


def _stubborn(chance: random.Random) -> dict[str, Any]:
    script = "trap '' TERM; echo begun; i=0; while [ $i -lt 200 ]; do sleep 1; i=$((i+1)); done"
    return {**_cancel(chance), "script": script}


def _retry(_: random.Random) -> dict[str, Any]:
    spec = {"retry": {"max_attempts": 3, "rules": [{"exit_codes": [9]}]}}
    script = "echo try; [ $WHARFAGE_ATTEMPT -ge 2 ] || exit 9"
    return {"script": script, "stdout": b"try\n", "spec": spec}


def _in_vain(_: random.Random) -> dict[str, Any]:
    spec = {"retry": {"max_attempts": 2, "backoff_base_s": 1}}
    return {"script": "exit 5", "status": "failed", "exit_code": 5, "spec": spec}


_KINDS: dict[str, tuple[int, Make]] = {
    "echo": (20, _echo),
    "pull": (4, _pull),
    "exit": (12, _exit),
    "sleep": (18, _sleep),
    "writer": (14, _writer),
    "bulk": (5, _bulk),
    "both": (6, _both),
    "out_of_memory": (4, _hog),
    "overrun": (5, _overrun),
    "cancel": (7, _cancel),
    "stubborn": (2, _stubborn),
    "retry": (5, _retry),
    "in_vain": (3, _in_vain),
}


def jobs(seed: int, seconds: float, count: int, silences: list[float]) -> list[Work]:
    """Draw the jobs of a run in the order of time: every kind, and long ones before a silence."""
    chance = random.Random(f"jobs {seed}")
    names = list(_KINDS) + chance.choices(
        list(_KINDS), weights=[weight for weight, _ in _KINDS.values()], k=count
    )
    drawn = [
        (chance.uniform(0, seconds - 8), kind, _KINDS[kind][1](chance)) for kind in names[:count]
    ]
    for begins in silences:
        for _ in range(9):
            length = chance.uniform(60, 100)
            made = {"script": f"echo begun; sleep {length:.0f}", "stdout": b"begun\n"}
            drawn.append((max(0.0, begins - chance.uniform(6, 12)), "long", made))
    drawn.sort(key=lambda each: each[0])
    return [
        Work(
            number=number,
            at=at,
            customer=number % CUSTOMERS,
            kind=kind,
            copies=chance.choice([1, 1, 1, 2, 4]),
            **made,
        )
        for number, (at, kind, made) in enumerate(drawn)
    ]
