"""Drives the schedules that the template declares, as EventBridge does on AWS.

Each run takes its slot of time with a conditional write, so two gateways over one store do not
both fire. A run that fails is logged and the next slot comes: schedules repair, they never owe.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from infrastructure.local.context import Context
from infrastructure.template import Function, Schedule
from wharfage.domain.errors import RateLimited, Refused
from wharfage.domain.rate import Rate
from wharfage.operations import rates
from wharfage.ports import Ports

log = logging.getLogger(__name__)


class Scheduler:
    """One thread for each schedule, until `stop`."""

    def __init__(
        self, functions: Sequence[Function], ports: Ports, *, every_seconds_max: int
    ) -> None:
        """*every_seconds_max* makes schedules faster than EventBridge's floor of a minute."""
        self._ports = ports
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._drive,
                args=(function, schedule, min(schedule.every_seconds, every_seconds_max)),
                name=f"schedule-{schedule.name}",
                daemon=True,
            )
            for function in functions
            for schedule in function.schedules
        ]

    def start(self) -> None:
        """Begin to fire."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Fire no more, and wait for the runs at hand."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _drive(self, function: Function, schedule: Schedule, every_seconds: int) -> None:
        handler = function.load(schedule.handler)
        while not self._stopping.is_set():
            fire(self._ports, function, schedule, handler, every_seconds=every_seconds)
            # To the middle of the next slot, so that two machines' clocks agree on which it is.
            into = (time.time() - every_seconds / 2) % every_seconds
            self._stopping.wait(every_seconds - into)


def fire(
    ports: Ports,
    function: Function,
    schedule: Schedule,
    handler: Callable[[Any, Any], Any],
    *,
    every_seconds: int,
) -> bool:
    """Call a handler if nobody has in this slot; tell whether it was called and succeeded."""
    try:
        once = Rate(action="schedule", limit=1, seconds=every_seconds)
        rates.take(ports, once, schedule.name)
    except RateLimited:
        return False
    except Refused:
        log.warning("slot not taken", extra={"action": "schedule", "schedule": schedule.name})
        return False
    try:
        handler(_event(schedule), Context.of(function))
    except Exception:  # The edge of one run: Lambda would log it and go on, too.
        log.exception("run failed", extra={"action": "schedule", "schedule": schedule.name})
        return False
    return True


def _event(schedule: Schedule) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "local",
        "resources": [f"arn:aws:events:local:000000000000:rule/{schedule.name}"],
        "detail": {},
    }
