"""What DynamoDB and S3 do by themselves and files do not: delete that whose time is over."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from wharfage.adapters.folder import FolderObjects
from wharfage.adapters.sqlite import SqliteRows
from wharfage.domain.limits import OUTPUT_DAYS, UPLOAD_DAYS_MAX
from wharfage.settings import Settings

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0


#: As in infrastructure/objects.yaml: later than the sweep removes them, should it have missed any.
OBJECT_DAYS = {"uploads": UPLOAD_DAYS_MAX + 1, "outputs": OUTPUT_DAYS + 1}


def start(settings: Settings, objects: FolderObjects | None) -> None:
    """Keep the house of the embedded store and of the files, for as long as the process lives."""
    if settings.store_file is None and objects is None:
        return
    pausing = threading.Event()
    threading.Thread(
        target=_go_on,
        args=(settings.store_file, objects, lambda: pausing.wait(EVERY_SECONDS)),
        name="housekeeping",
        daemon=True,
    ).start()


def tidy(store: Path, now: datetime) -> int:
    """Delete what has expired; return how many items that were."""
    rows = SqliteRows(store)
    try:
        return rows.expire(now)
    finally:
        rows.close()


def _go_on(store: Path | None, objects: FolderObjects | None, pause: Callable[[], object]) -> None:
    while True:
        try:
            count = tidy(store, datetime.now(UTC)) if store else 0
            count += objects.expire(OBJECT_DAYS) if objects else 0
            log.info(
                "what has expired was deleted", extra={"action": "housekeeping", "count": count}
            )
        except Exception:  # The edge of one round: the next one comes.
            log.exception("housekeeping failed", extra={"action": "housekeeping"})
        pause()
