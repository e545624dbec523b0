"""Says how attempts are going: the newest state of each, oldest first, until it is told."""

import logging
import threading
from collections.abc import Callable

from wharfage.domain.attempt import AttemptState
from wharfage.domain.limits import REPORTS_MAX
from wharfage.messages import Report, ReportsRequest
from wharfage_agent.attempts import Key
from wharfage_agent.errors import CloudRefused, Fenced, Revoked
from wharfage_agent.ports import Cloud

log = logging.getLogger(__name__)

#: States that are soon followed by another; that one may be told in their place.
_ON_THE_WAY = (AttemptState.PREPARING, AttemptState.STARTING)

Answered = Callable[[Report, str], None]


class Reporter:
    """Keeps one unsent report an attempt. A newer one takes an older one's place in the line."""

    def __init__(
        self, cloud: Cloud, *, boot: str, answered: Answered, wake: Callable[[], None]
    ) -> None:
        self._cloud = cloud
        self._boot = boot
        self._answered = answered
        self._wake = wake
        self._waiting: dict[Key, Report] = {}
        self._lock = threading.Lock()

    def put(self, report: Report) -> None:
        """Have *report* sent with the next flush."""
        with self._lock:
            self._waiting[Key(report.job, report.attempt)] = report
        self._wake()

    def drop(self, key: Key) -> None:
        """Say no more of an attempt."""
        with self._lock:
            self._waiting.pop(key, None)

    @property
    def idle(self) -> bool:
        """Tell whether there is nothing to say."""
        return not self._waiting

    @property
    def urgent(self) -> bool:
        """Tell whether something waits that is worth a call of its own."""
        with self._lock:
            return any(report.state not in _ON_THE_WAY for report in self._waiting.values())

    def flush(self) -> None:
        """Send what is waiting. Raises: CloudAway, Fenced, Revoked; what was unsent still waits."""
        while batch := self._batch():
            try:
                self._send(batch)
            except (Fenced, Revoked):
                raise
            except CloudRefused as refusal:
                if len(batch) == 1:
                    self._refused(batch[0], refusal)
                    continue
                for report in batch:  # One of them is bad: the others must not suffer.
                    self._alone(report)

    def _alone(self, report: Report) -> None:
        try:
            self._send([report])
        except (Fenced, Revoked):
            raise
        except CloudRefused as refusal:
            self._refused(report, refusal)

    def _send(self, batch: list[Report]) -> None:
        reply = self._cloud.reports(ReportsRequest(boot=self._boot, reports=tuple(batch)))
        for report, answer in zip(batch, reply.reports, strict=True):
            self._told(report)
            self._answered(report, answer.outcome)

    def _refused(self, report: Report, refusal: CloudRefused) -> None:
        log.error(
            "A report was refused for good",
            extra={"job_id": report.job, "state": report.state, "code": refusal.code},
        )
        self._told(report)
        self._answered(report, "stale_claim")

    def _batch(self) -> list[Report]:
        with self._lock:
            return list(self._waiting.values())[:REPORTS_MAX]

    def _told(self, report: Report) -> None:
        key = Key(report.job, report.attempt)
        with self._lock:
            if self._waiting.get(key) is report:
                del self._waiting[key]
