"""A job followed to its end: phases, then the container's own output, then its exit code."""

from dataclasses import dataclass

from wharfage_client import failure
from wharfage_client.api import WAIT_SECONDS, Jobs
from wharfage_client.console import Console
from wharfage_client.errors import LocalError
from wharfage_client.interrupts import Interrupts
from wharfage_client.money import price
from wharfage_client.progress import Progress
from wharfage_client.quantities import duration
from wharfage_client.views import Job, LogPage
from wharfage_client.words import Words

#: Before these a container has written nothing yet.
_NOT_WRITING = frozenset({"pending", "queued", "starting"})
_REASON_EXITS = {
    "command_not_found": failure.COMMAND_NOT_FOUND,
    "command_not_executable": failure.NOT_EXECUTABLE,
}


@dataclass(kw_only=True, slots=True)
class Follower:
    """One job being followed."""

    jobs: Jobs
    console: Console
    progress: Progress
    interrupts: Interrupts
    cancelled: bool = False  #: We have asked the API to cancel it.
    _unended: bool = False  #: What was written last did not end its line.

    def follow(self, job: Job) -> Job:
        """Follow a job until it has ended and its whole log is written; give it as it ended.

        Raises: KeyboardInterrupt, when interrupted twice; WharfageError.
        """
        read_attempt = 0
        while True:
            job = self._until_it_writes(job)
            never_began = job["is_terminal"] and job["started_at"] is None
            if job["attempt"] > read_attempt and not never_began:
                self.progress.rest()
                read_attempt = self._write_log(job)
            if job["is_terminal"]:
                self._end_line()
                self._tell_end(job)
                return job
            job = self._next(job)

    def _until_it_writes(self, job: Job) -> Job:
        while not job["is_terminal"] and job["status"] in _NOT_WRITING:
            self._tell(job)
            job = self._next(job)
        self._tell(job)
        return job

    def _next(self, job: Job) -> Job:
        """Wait for a newer version of a job."""
        before = job["status"]
        try:
            self._cancel_if_asked(job)
            with self.interrupts.idle():
                # What a job waits for changes without a new version, so the wait is short then.
                wait = 2 if before == "queued" else WAIT_SECONDS
                newer = self.jobs.get(job["id"], wait_seconds=wait, version=job["version"])
        except KeyboardInterrupt:
            self._cancel_if_asked(job)
            return job
        if self.console.as_json and newer["version"] != job["version"]:
            self.console.emit({"type": "job", "job": newer})
        return newer

    def _write_log(self, job: Job) -> int:
        """Write one attempt's log to its end; give the attempt."""
        cursor: str | None = None
        while True:
            try:
                self._cancel_if_asked(job)
                with self.interrupts.idle():
                    page = self.jobs.log_page(job["id"], cursor=cursor, wait_seconds=WAIT_SECONDS)
            except KeyboardInterrupt:
                self._cancel_if_asked(job)
                continue
            self._write(page)
            if page.complete:
                return page.attempt
            cursor = page.next_cursor

    def _write(self, page: LogPage) -> None:
        write_page(self.console, page)
        if page.items and page.items[-1].data:
            self._unended = not page.items[-1].data.endswith(b"\n")

    def _cancel_if_asked(self, job: Job) -> None:
        """Ask the API to cancel, once. Raises: KeyboardInterrupt, when asked to leave."""
        interruptions = self.interrupts.take()
        if interruptions > 1:
            raise KeyboardInterrupt
        if interruptions and not self.cancelled:
            self.cancelled = True
            self.progress.rest()
            self._end_line()
            self.console.note(self.console.words("run.cancelling", id=job["id"]))
            self.jobs.cancel(job["id"])

    def _tell(self, job: Job) -> None:
        words = self.console.words
        if not job["is_terminal"]:
            label = words.known("status", job["status"])
            self.progress.phase(label, _phase_text(job, words))

    def _tell_end(self, job: Job) -> None:
        words = self.console.words
        elapsed = duration(self.progress.elapsed_seconds)
        facts = {
            "elapsed": elapsed,
            "cost": price(job["cost_fen"], job["cost_units"]),
            "code": job["exit_code"],
        }
        key = "phase.ended" if job["exit_code"] is None else "phase.ended_code"
        self.progress.phase(words.known("status", job["status"]), words(key, **facts))
        self.progress.rest()

    def _end_line(self) -> None:
        """On a terminal, what we say begins on a line of its own."""
        if self._unended and self.console.live:
            self.console.note("")
        self._unended = False


def write_page(console: Console, page: LogPage) -> None:
    """Write what a page of a log holds: bytes for people, lines of JSON for programs."""
    import base64

    for part in page.items:
        if not console.as_json:
            console.write(part.stream, part.data)
            continue
        console.emit(
            {
                "type": "log",
                "attempt": page.attempt,
                "stream": part.stream,
                "offset": part.offset,
                "data": base64.b64encode(part.data).decode(),
                "received_at": part.received_at,
            }
        )
    if page.complete and page.truncated:
        console.note(console.words("log.truncated"))
    if page.complete and page.gap:
        console.note(console.words("log.gap"))


def exit_code(job: Job) -> int:
    """Choose the exit code for an ended job: the container's own, or why there is none."""
    match job["status"]:
        case "succeeded":
            return 0
        case "timed_out":
            return failure.TIMED_OUT
        case "cancelled" if job["reason_class"] != "policy":
            return failure.CANCELLED
        case "failed":
            return _failed_exit(job)
        case _:
            return failure.OURS


def verdict(job: Job, words: Words) -> LocalError | None:
    """Say what is to be said of a job that did not end by its program's own exit."""
    plain = job["status"] == "failed" and job["reason_code"] == "exit_code"
    if job["status"] == "succeeded" or plain:
        return None
    return LocalError(
        "job_ended",
        id=job["id"],
        status=words.known("status", job["status"]),
        reason=words.known("reason", job["reason_code"] or "unknown"),
    )


def _failed_exit(job: Job) -> int:
    if (code := job["exit_code"]) is not None and code != 0:
        return code
    if job["signal"] is not None:
        return 128 + job["signal"]
    return _REASON_EXITS.get(job["reason_code"] or "", failure.OURS)


def _phase_text(job: Job, words: Words) -> str:
    """Say in words where a job is."""
    waiting = job["waiting_for"]
    host = job["host"]
    if job["status"] == "starting" and host is not None:
        text = words("phase.claimed", host=host)
        return f"{text}: {words('waiting.image_pull')}" if waiting else text
    if waiting is not None:
        return words.known("waiting", waiting["reason"], **waiting["numbers"])
    return words("phase.running", host=host) if host is not None else ""
