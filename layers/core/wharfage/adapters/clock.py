"""The machine's clock."""

from datetime import UTC, datetime


class SystemClock:
    """`ports.Clock` on the system's time."""

    def now(self) -> datetime:
        """Return the time now, aware, UTC, in whole milliseconds, as stores keep it."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
