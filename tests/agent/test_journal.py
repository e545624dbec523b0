"""The journal: what was kept is there after a crash, and a torn line costs only itself."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.agent.fakes import grant
from wharfage.domain.attempt import AttemptState, StopReason
from wharfage.messages import Report
from wharfage_agent.attempts import Work
from wharfage_agent.errors import DiskFull
from wharfage_agent.journal import REWRITE_AFTER_LINES, FileJournal

WORK = Work.of(grant())
END = Report(
    account=WORK.account,
    job=WORK.job,
    attempt=WORK.attempt,
    claim_id=WORK.claim_id,
    seq=5,
    state=AttemptState.SUCCEEDED,
    at=datetime(2026, 1, 1, tzinfo=UTC),
    exit_code=0,
    started=True,
)


def test_what_was_kept_is_recalled_by_the_next_life(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = FileJournal(path)
    first.hold([(WORK, 7)])
    first.stop(WORK.key, StopReason.CANCEL)
    first.end(END)

    with FileJournal(path) as second:
        (found,) = second.recall()

    first.close()
    assert (found.work, found.seq) == (WORK, END.seq)
    assert (found.stop, found.report) == (StopReason.CANCEL, END)


def test_what_was_forgotten_is_not_recalled(tmp_path: Path) -> None:
    with FileJournal(tmp_path / "journal") as journal:
        journal.hold([(WORK, 0)])
        journal.forget(WORK.key)

    with FileJournal(tmp_path / "journal") as later:
        assert later.recall() == []


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_last_line_costs_only_itself(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    with FileJournal(path) as journal:
        journal.hold([(WORK, 0)])
        journal.stop(WORK.key, StopReason.CANCEL)
    path.write_bytes(path.read_bytes()[:-cut])

    with FileJournal(path) as later:
        (found,) = later.recall()

    assert found.work == WORK


def test_it_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with FileJournal(path) as journal:
        journal.hold([(WORK, 0)])
        for _ in range(REWRITE_AFTER_LINES):
            journal.forget(Work.of(grant(2)).key)

        lines = path.read_bytes().count(b"\n")

    assert lines < REWRITE_AFTER_LINES / 2


def test_no_command_and_no_environment_is_written_to_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with FileJournal(path) as journal:
        journal.hold([(Work.of(grant()), 0)])

    assert b"true" not in path.read_bytes()


def test_a_full_disk_is_told_and_passes(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal")
    journal.close()

    with pytest.raises(DiskFull):
        journal.hold([(WORK, 0)])
