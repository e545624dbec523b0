"""What host rows should say, and the words a host has for its attempts."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tests.properties.course import How
from wharfage import schema
from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason
from wharfage.domain.host import Host
from wharfage.ports import Store

LEASE = timedelta(seconds=60)
GRACE = timedelta(seconds=15)
HEALTHY = timedelta(seconds=30)  #: After a longer pause of sweeping nobody is judged.


@dataclass(frozen=True, slots=True)
class Word:
    """One thing a host can report: the facts it sends, and the end they mean."""

    state: AttemptState
    end: How | None = None
    facts: tuple[tuple[str, Any], ...] = ()


def _word(state: AttemptState, end: How | None = None, **facts: Any) -> Word:
    return Word(state, end, tuple(facts.items()))


RAN = {"started": True}
LIVE_WORDS = (
    _word(AttemptState.PREPARING),
    _word(AttemptState.STARTING),
    _word(AttemptState.RUNNING),
    _word(AttemptState.RUNNING),
    _word(AttemptState.STOPPING),
)
REJECTED = _word(
    AttemptState.REJECTED, ("rejected", True, "disk_low"), reason_code=ReasonCode.DISK_LOW
)
LAST_WORDS = (
    _word(AttemptState.SUCCEEDED, ("succeeded", False, None), exit_code=0, **RAN),
    _word(AttemptState.FAILED, ("failed", False, "exit_code"), exit_code=1, **RAN),
    _word(AttemptState.FAILED, ("failed", False, "exit_code"), exit_code=1, **RAN),
    _word(AttemptState.FAILED, ("failed", False, "out_of_memory"), exit_code=0, oom=True, **RAN),
    _word(AttemptState.CANCELLED, ("cancelled", False, "cancelled"), exit_code=0,
          stop_reason=StopReason.CANCEL, **RAN),
    _word(AttemptState.TIMED_OUT, ("timed_out", False, "timeout"), exit_code=143,
          stop_reason=StopReason.TIMEOUT, **RAN),
    _word(AttemptState.FAILED, ("lost", True, "host_drained"), exit_code=143,
          stop_reason=StopReason.DRAIN, **RAN),
    _word(AttemptState.FAILED, ("failed", False, "image_not_found"),
          reason_code=ReasonCode.IMAGE_NOT_FOUND),
    _word(AttemptState.FAILED, ("failed", True, "engine_error"),
          reason_code=ReasonCode.ENGINE_ERROR, **RAN),
    REJECTED,
    _word(AttemptState.LOST, ("lost", True, "host_lost"), **RAN),
)  # fmt: skip
WORDS = (*LIVE_WORDS, *LAST_WORDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Berth:
    """A host's row."""

    status: str
    boot: str | None
    newest: str
    lease_until: datetime | None
    drain_by: datetime | None
    claims: int

    @classmethod
    def read(cls, store: Store, host: str) -> "Berth":
        """Read a host's row."""
        row = store.get(schema.HOST.key(id=host))
        assert row is not None
        return cls.of(row)

    @classmethod
    def of(cls, row: Host) -> "Berth":
        """Keep of a row what the model knows of."""
        return cls(
            status=row.status,
            boot=row.boot,
            newest=row.boot_newest,
            lease_until=row.lease_until,
            drain_by=row.drain_by,
            claims=row.claims,
        )

    @property
    def silent_at(self) -> datetime | None:
        """When it may be fenced if it is not heard from."""
        return self.lease_until and self.lease_until + GRACE

    def takes_work(self, now: datetime) -> bool:
        """Tell whether it may claim."""
        live = self.boot is not None and self.lease_until is not None and now < self.lease_until
        return live and self.status == "ready"

    def same_for_a_claim(self, other: "Berth") -> bool:
        """Tell whether nothing has changed that a claim depends on."""
        mine = (self.status, self.boot, self.claims)
        return mine == (other.status, other.boot, other.claims)

    def heard(self, boot: str, *, full: bool, busy: bool, now: datetime) -> "Berth | None":
        """Return the row after a heartbeat; None if it must be refused as stale."""
        if self.status == "revoked" or (boot != self.boot and (not full or boot < self.newest)):
            return None
        status = "ready" if self.status == "enrolled" else self.status
        if status == "draining" and not busy:
            status = "drained"
        newest = max(boot, self.newest)
        return replace(self, status=status, boot=boot, newest=newest, lease_until=now + LEASE)

    def fenced(self) -> "Berth":
        """Return the row after its lease was taken away."""
        return replace(self, boot=None)
