"""How much of a host is given, and how much of that is free."""

from collections.abc import Iterable

from wharfage.domain.host import Room
from wharfage_agent.attempts import Attempt
from wharfage_agent.policy import Policy
from wharfage_agent.ports import Machine

SLOTS_DEFAULT, SLOTS_PER_CPU = 8, 4
MILLIS_PER_CPU = 1000


def capacity(policy: Policy, machine: Machine) -> Room:
    """Return what a host gives: what its machine has, narrowed by its policy."""
    slots = policy.slots or min(SLOTS_DEFAULT, machine.cpu_count * SLOTS_PER_CPU)
    cpu_millis = machine.cpu_count * MILLIS_PER_CPU
    return Room(
        slots=slots,
        cpu_millis=min(cpu_millis, policy.max_cpu_millis or cpu_millis),
        memory_mb=min(machine.memory_mb, policy.max_memory_mb or machine.memory_mb),
        disk_mb=max(0, machine.disk_mb - policy.disk_reserve_mb),
    )


def left(whole: Room, held: Iterable[Attempt], *, disk_left_mb: int) -> Room:
    """Return what is free of *whole*. *disk_left_mb* is what the disk itself has, less the reserve.

    What has ended keeps its volume until it is removed, and nothing else.
    """
    attempts = list(held)
    active = [attempt.work for attempt in attempts if attempt.phase.occupies]
    disk_mb = whole.disk_mb - sum(attempt.work.disk_mb for attempt in attempts)
    return Room(
        slots=max(0, whole.slots - len(active)),
        cpu_millis=max(0, whole.cpu_millis - sum(work.cpu_millis for work in active)),
        memory_mb=max(0, whole.memory_mb - sum(work.memory_mb for work in active)),
        disk_mb=max(0, min(disk_left_mb, disk_mb)),
    )
