"""How long a host may hold its work."""

from tests.agent.fake_cloud import FakeControl
from tests.agent.fakes import FakeClock
from wharfage.domain import limits
from wharfage.domain.host import Room
from wharfage_agent.heartbeat import LEASE_MARGIN_SECONDS, Condition, Heartbeat, Lease

ROOM = Room(slots=1, cpu_millis=1000, memory_mb=100, disk_mb=100)


def test_a_lease_counts_from_when_the_heartbeat_was_sent() -> None:
    control, clock = FakeControl(), FakeClock()
    lease = Lease(clock)
    beat = control.heartbeat

    def late(request):
        clock.seconds += 30
        return beat(request)

    control.heartbeat = late  # type: ignore[method-assign]
    sent_at = clock.monotonic()
    Heartbeat(control, clock, lease, boot="bot_1", engine_version="20.10").beat(
        Condition(capacity=ROOM, free=ROOM, busy=False, problem=None), held=lambda: ()
    )

    assert lease.until == sent_at + limits.LEASE_SECONDS - LEASE_MARGIN_SECONDS
