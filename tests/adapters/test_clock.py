"""The clock: aware, UTC, in what the stores can keep."""

from datetime import UTC, datetime, timedelta

from wharfage.adapters.clock import SystemClock
from wharfage.schema import timestamp


def test_the_time_is_utc_in_whole_milliseconds():
    now = SystemClock().now()

    assert now.utcoffset() == timedelta(0)
    assert datetime.fromisoformat(timestamp(now)) == now
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)
