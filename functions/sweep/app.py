"""The sweep: moves on whatever is past its deadline. It has a schedule and no route."""

import logging

from wharfage.operations import sweep
from wharfage.web import App

app = App("sweep")
log = logging.getLogger("wharfage.functions.sweep")  # Lambda calls this file `app`.

EVERY_SECONDS = 10  #: EventBridge's floor is a minute, so one run sweeps several times.
RUN_SECONDS = 50


@app.scheduled
def run() -> None:
    """Sweep once; while some host holds work, sweep on until the next run is near."""
    for left in reversed(range(RUN_SECONDS // EVERY_SECONDS)):
        swept = sweep.sweep(app.ports)
        log.info(
            "swept",
            extra={
                "action": "sweep",
                "moved": swept.moved,
                "failed": swept.failed,
                "rung": swept.rung,
                "oldest_due_seconds": swept.oldest_due_seconds,
            },
        )
        if not (left and swept.working and app.settings.sweeps_on):
            return
        app.pause(EVERY_SECONDS)
