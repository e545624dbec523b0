"""kill -9 of processes that write to one file: nothing acknowledged is lost, nothing is half done.

`WHARFAGE_KILLS` says how many rounds. It is not a power cut: that needs a disk of its own.
"""

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.live.store_writer import SOURCE, SUBJECT, TARGET
from wharfage import schema
from wharfage.adapters.embedded import SqliteRows, file_store
from wharfage.adapters.store import RecordStore
from wharfage.domain.balance import Balance
from wharfage.transaction import Put, absent

ROUNDS = int(os.environ.get("WHARFAGE_KILLS", "12"))
ACKNOWLEDGED_MAX = 40  #: A process is killed after it has acknowledged up to so many.
ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "store.db"
    store = file_store(path)
    for account in ("acc_a", "acc_b"):
        store.commit(Put(Balance(account=account), when=[absent()]))
    return path


@pytest.mark.parametrize("processes", [1, 2])
def test_a_kill_loses_nothing_that_was_acknowledged(path, processes):
    chance = random.Random(processes)
    acknowledged: set[str] = set()

    for number in range(ROUNDS):
        acknowledged |= killed(
            path, [f"{number}-{process}-" for process in range(processes)], chance
        )

        with closing(SqliteRows(path)) as rows:
            rows.check()
            store = RecordStore(rows, pause=lambda seconds: None, chance=lambda: 0.0)
            events = all_events(store)
            source, target = store.get_many([SOURCE, TARGET])
        assert acknowledged <= events
        assert (source.available, target.available) == (-len(events), len(events))

    assert len(acknowledged) >= ROUNDS * processes


def killed(path: Path, names: list[str], chance: random.Random) -> set[str]:
    """Run writers, kill each at some moment, and return what they had acknowledged."""
    running = [start(path, name) for name in names]
    acknowledged: set[str] = set()
    for process in running:
        with process:
            assert process.stdout is not None
            for _ in range(chance.randint(1, ACKNOWLEDGED_MAX)):
                acknowledged.add(process.stdout.readline().strip())
            process.send_signal(signal.SIGKILL)
            # What it wrote before it died counts; a line cut short by the kill does not.
            rest = process.stdout.read()
            acknowledged |= {line for line in rest.split("\n")[:-1] if line}
        assert process.returncode == -signal.SIGKILL
    assert "" not in acknowledged
    return acknowledged


def start(path: Path, name: str) -> subprocess.Popen[str]:
    places = [str(ROOT), str(ROOT / "layers" / "core")]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.live.store_writer", str(path), name],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
    )


def all_events(store: RecordStore) -> set[str]:
    found: set[str] = set()
    after = None
    while True:
        page = store.query(schema.EVENT, SUBJECT, after=after, limit=1000)
        found |= {event.id for event in page.items}
        if (after := page.next) is None:
            return found
