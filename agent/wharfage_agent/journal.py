"""What must survive a kill -9: an append-only file of JSON lines, flushed to the disk.

A file rather than a database: there are three writes in an attempt's life (claimed, ended,
forgotten; a stop makes it four), each of them is one appended line, and nothing is ever looked
up in it after the start. A torn last line is what a crash leaves, and is ignored.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec

from wharfage.domain.attempt import StopReason
from wharfage.messages import Report
from wharfage_agent.attempts import Key, Work
from wharfage_agent.errors import DiskFull
from wharfage_agent.ports import Remembered

REWRITE_AFTER_LINES = 10_000


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line: which attempt, and what is new about it."""

    job: str
    attempt: int
    work: Work | None = None
    seq: int | None = None
    stop: StopReason | None = None
    report: Report | None = None
    gone: bool = False


class FileJournal:
    """A journal in one file. It is rewritten when it is opened, and when it has grown long."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._held: dict[Key, Remembered] = {}
        self._lines = 0
        self._torn = False
        if path.exists():
            for line in path.read_bytes().splitlines():
                self._read(line)
        self._file = self._rewrite()

    def recall(self) -> list[Remembered]:
        """Return what earlier lives held and did not forget."""
        with self._lock:
            return list(self._held.values())

    def hold(self, works: Sequence[tuple[Work, int]]) -> None:
        """Keep attempts, before anything is done for them."""
        self._append(
            [_Line(job=work.job, attempt=work.attempt, work=work, seq=seq) for work, seq in works]
        )

    def stop(self, key: Key, reason: StopReason) -> None:
        """Keep why TERM is about to be sent."""
        self._append([_Line(job=key.job, attempt=key.attempt, stop=reason)])

    def end(self, report: Report) -> None:
        """Keep a terminal report before it is sent."""
        self._append([_Line(job=report.job, attempt=report.attempt, report=report)])

    def forget(self, key: Key) -> None:
        """Let go of an attempt. Not flushed: a repeat finds nothing to do and forgets again."""
        self._append([_Line(job=key.job, attempt=key.attempt, gone=True)], flush=False)

    def close(self) -> None:
        """Flush and close the file."""
        with self._lock:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1  # A late write must not meet another file under this number.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, lines: Sequence[_Line], *, flush: bool = True) -> None:
        with self._lock:
            try:
                # A line that a full disk tore is closed first, so that only it is lost.
                text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
                _write_all(self._file, b"\n" + text if self._torn else text)
                self._torn = False
                if flush:
                    os.fsync(self._file)
            except OSError as error:
                self._torn = True
                raise DiskFull(str(error)) from error
            for line in lines:
                self._apply(line)
            self._lines += len(lines)
            if self._lines > REWRITE_AFTER_LINES:
                os.close(self._file)
                self._file = self._rewrite()

    def _read(self, text: bytes) -> None:
        try:
            self._apply(msgspec.json.decode(text, type=_Line))
        except msgspec.DecodeError:
            return

    def _apply(self, line: _Line) -> None:
        key = Key(line.job, line.attempt)
        if line.gone:
            self._held.pop(key, None)
        elif line.work is not None:
            self._held[key] = Remembered(work=line.work, seq=line.seq or 0)
        elif key in self._held:
            old = self._held[key]
            self._held[key] = Remembered(
                work=old.work,
                seq=line.report.seq if line.report else old.seq,
                stop=line.stop or old.stop,
                report=line.report or old.report,
            )

    def _rewrite(self) -> int:
        """Write what is held to a new file, put it in the old one's place, open it to append."""
        fresh = self._path.with_suffix(".new")
        lines = [line for held in self._held.values() for line in _lines(held)]
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        _write_all(descriptor, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        os.fsync(descriptor)
        fresh.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        self._lines = len(lines)
        return descriptor


def _lines(held: Remembered) -> list[_Line]:
    job, attempt = held.work.key
    lines = [_Line(job=job, attempt=attempt, work=held.work, seq=held.seq)]
    if held.stop is not None or held.report is not None:
        lines.append(_Line(job=job, attempt=attempt, stop=held.stop, report=held.report))
    return lines


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
