"""A process that writes to a store in a file until it is killed, and says what was acknowledged.

Each transaction moves one unit from one balance to another and puts an event that names it. A line
on standard output is the id of an event whose transaction was acknowledged.
"""

import itertools
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from wharfage import schema
from wharfage.adapters.embedded import file_store
from wharfage.adapters.store import RecordStore
from wharfage.domain.event import Event
from wharfage.transaction import Put, Update, absent, present

THREADS = 4
SUBJECT = "acc_events"
SOURCE, TARGET = schema.BALANCE.key(account="acc_a"), schema.BALANCE.key(account="acc_b")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def write(store: RecordStore, name: str) -> None:
    for number in itertools.count():
        event = Event(
            id=f"evt_{name}_{number}",
            subject=SUBJECT,
            account=SUBJECT,
            kind="moved",
            at=NOW,
            actor="test",
        )
        store.commit(
            Update(SOURCE, add={"available": -1}, when=[present()]),
            Update(TARGET, add={"available": +1}, when=[present()]),
            Put(event, when=[absent()], proves=True),
        )
        sys.stdout.write(event.id + "\n")
        sys.stdout.flush()


def main(path: Path, name: str) -> None:
    store = file_store(path)
    threads = [
        threading.Thread(target=write, args=(store, f"{name}{number}")) for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
