"""What work costs: a versioned price list, and one rounding, upwards, at the end."""

from typing import Annotated

from msgspec import Meta

from wharfage.domain import limits
from wharfage.domain.record import Body, Record

MILLIS = 1000
MEBI = 1024
HOUR_SECONDS = 3600
_RATE_SCALE = HOUR_SECONDS * MILLIS * MEBI


class Resources(Body, frozen=True, kw_only=True):
    """What one container is given: thousandths of a CPU, MiB of memory, MiB of volume."""

    cpu_millis: Annotated[int, Meta(ge=limits.CPU_MILLIS_MIN, le=limits.CPU_MILLIS_MAX)] = 1000
    memory_mb: Annotated[int, Meta(ge=limits.MEMORY_MB_MIN, le=limits.MEMORY_MB_MAX)] = 512
    disk_mb: Annotated[int, Meta(ge=limits.DISK_MB_MIN, le=limits.DISK_MB_MAX)] = 1024


class PriceList(Record, frozen=True, kw_only=True):
    """Prices in fen. A job keeps the version it was admitted under."""

    version: str
    vcpu_hour_fen: int
    gb_hour_fen: int

    def cost_fen(self, resources: Resources, seconds: int) -> int:
        """Return the price of *resources* for *seconds*, rounded up once to a whole fen."""
        return -(-seconds * self._rate(resources) // _RATE_SCALE)

    def seconds_for(self, resources: Resources, fen: int) -> int:
        """Return the most seconds of *resources* that cost no more than *fen*."""
        return fen * _RATE_SCALE // self._rate(resources)

    def _rate(self, resources: Resources) -> int:
        """Return fen per second, times the scale, as an exact integer."""
        return (
            resources.cpu_millis * self.vcpu_hour_fen * MEBI
            + resources.memory_mb * self.gb_hour_fen * MILLIS
        )
