"""The comparison of our books with the channels' bills. It has a schedule and no route."""

import logging
from datetime import timedelta

from wharfage.operations import reconciliation
from wharfage.web import App

app = App("reconcile")
log = logging.getLogger("wharfage.functions.reconcile")  # Lambda calls this file `app`.

RUN_SECONDS = 13 * 60  #: One step more fits between this and the time that Lambda gives.


@app.scheduled
def run() -> None:
    """Begin the days that are due, and go on with what is begun."""
    until = app.ports.clock.now() + timedelta(seconds=RUN_SECONDS)
    standing = reconciliation.tick(app.ports, until=until)
    log.info(
        "reconciled",
        extra={
            "action": "reconciliation",
            "open_breaks": standing.open_breaks,
            "late_days": standing.late_days,
            "failed": standing.failed,
        },
    )
