"""Files of an attempt: what it is given before its start, and what it leaves after its end.

Nothing is kept on the host between the two: what comes in is streamed into the container's volume,
what goes out is read from there twice, once to be measured and once to be sent. So there is
nothing to clean up, and a later life begins again from what the container holds.
"""

import hashlib
import logging
import tarfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from wharfage.domain.attempt import ReasonCode
from wharfage.domain.limits import OUTPUT_BYTES_MAX
from wharfage.domain.output import MissingReason
from wharfage.domain.spec import FILES_PATH, INPUT_PATH, MEBIBYTE, VOLUME_PATH, input_json
from wharfage.messages import (
    FoundOutput,
    GivenFile,
    Grant,
    LackedOutput,
    OutputsReply,
    OutputsRequest,
    WantedOutput,
)
from wharfage_agent.attempts import Attempt, Key, Work
from wharfage_agent.backoff import Backoff
from wharfage_agent.errors import (
    CloudRefused,
    EngineRefused,
    Fenced,
    FilesAway,
    FilesRefused,
    NotAFile,
    NotThere,
    Revoked,
    WillPass,
)
from wharfage_agent.ports import WorkerPorts

log = logging.getLogger(__name__)

ROUNDS = 3  #: How often outputs are sent, each time by new links, before one is given up.
RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS = 0.5, 30.0
READ_ONLY, FOLDER = 0o444, 0o755

Learn = Callable[..., None]


class Files:
    """Carries files on the `carry` lane. What came of it is learned as facts of the attempt."""

    def __init__(self, ports: WorkerPorts, learn: Learn) -> None:
        self._ports = ports
        self._learn = learn
        #: One for all: what is kept is kept in one place, and that is what struggles.
        self._backoff = Backoff(ports.chance, RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS)

    def fill(self, grant: Grant, container: str) -> None:
        """Put a grant's input and files into its container's volume. A repeat writes the same."""
        key = Key(grant.job, grant.attempt)
        self._carry(key, lambda: self._filled(grant, container))

    def bring(self, attempt: Attempt) -> None:
        """Bring an ended attempt's outputs. A repeat sends only what has not arrived."""
        work, container = attempt.work, attempt.container
        self._carry(attempt.key, lambda: self._brought(work, container))

    def _carry(self, key: Key, work: Callable[[], dict[str, Any]]) -> None:
        self._learn(key, carrying=True)
        self._ports.tasks.spawn("carry", lambda: self._carried(key, work))

    def _carried(self, key: Key, work: Callable[[], dict[str, Any]]) -> None:
        try:
            facts = work()
            self._backoff.succeeded()
        except (WillPass, Fenced, Revoked) as problem:
            wait = self._backoff.failed()
            log.warning("Files will be carried again", extra=_extra(key, problem))
            facts = {"carry_at": self._ports.clock.monotonic() + wait}
        self._learn(key, carrying=False, **facts)

    # In.

    def _filled(self, grant: Grant, container: str) -> dict[str, Any]:
        heads = list(_heads(grant))
        size = sum(len(head) + _padded(size) for head, size, _ in heads) + len(_END)
        try:
            self._ports.engine.put_files(container, size, self._archive(heads))
        except FilesRefused as refusal:
            log.warning("An input cannot be had", extra=_extra(_key(grant), refusal))
            return {"refused": ReasonCode.INPUT_FAILED}
        except EngineRefused as refusal:
            log.warning("An input cannot be put in", extra=_extra(_key(grant), refusal))
            return {"refused": ReasonCode.ENGINE_ERROR}
        return {"filled": True}

    def _archive(self, heads: "Iterable[_Entry]") -> Iterator[bytes]:
        """Write a tar archive; a file that is not what it should be breaks it off before its end.

        Raises: FilesAway, FilesRefused.
        """
        for head, size, content in heads:
            yield head
            if isinstance(content, GivenFile):
                yield from self._fetched(content)
            else:
                yield content
            yield bytes(_padded(size) - size)
        yield _END

    def _fetched(self, file: GivenFile) -> Iterator[bytes]:
        digest, left = hashlib.sha256(), file.size_bytes
        with self._ports.transfers.fetch(file.url) as parts:
            for part in parts:
                left -= len(part)
                if left < 0:
                    raise FilesRefused(f"{file.name} is longer than announced")
                digest.update(part)
                yield part
        if left or digest.hexdigest() != file.sha256:
            raise FilesRefused(f"{file.name} is not what was announced")

    # Out.

    def _brought(self, work: Work, container: str | None) -> dict[str, Any]:
        found, lacked = self._measured(work, container)
        try:
            for _ in range(ROUNDS):
                reply = self._ask(work, found, lacked)
                if reply.settled:
                    return {"outputs_settled": True}
                refused = [each.path for each in reply.wanted if not self._sent(container, each)]
            # A link that is refused again and again will not be better later.
            lacked |= dict.fromkeys(refused, MissingReason.UPLOAD_FAILED)
            found = [each for each in found if each.path not in lacked]
            if self._ask(work, found, lacked).settled:
                return {"outputs_settled": True}
        except (Fenced, Revoked):
            raise
        except CloudRefused as refusal:
            log.warning("Outputs are not wanted", extra=_extra(work.key, refusal))
            return {"outputs_settled": True}
        raise FilesAway("what was sent has not arrived")

    def _ask(
        self, work: Work, found: list[FoundOutput], lacked: dict[str, MissingReason]
    ) -> OutputsReply:
        return self._ports.cloud.outputs(
            OutputsRequest(
                account=work.account,
                job=work.job,
                attempt=work.attempt,
                claim_id=work.claim_id,
                found=tuple(found),
                lacked=tuple(
                    LackedOutput(path=path, reason=reason) for path, reason in lacked.items()
                ),
            )
        )

    def _measured(
        self, work: Work, container: str | None
    ) -> tuple[list[FoundOutput], dict[str, MissingReason]]:
        """Find the outputs that are there, and why the others cannot be had. Raises: EngineAway."""
        found: list[FoundOutput] = []
        lacked: dict[str, MissingReason] = {}
        left = work.disk_mb * MEBIBYTE
        for path in work.output_paths:
            try:
                seen = self._look(container, path, most=min(left, OUTPUT_BYTES_MAX))
            except NotThere:
                lacked[path] = MissingReason.NOT_FOUND
            except NotAFile:
                lacked[path] = MissingReason.NOT_A_FILE
            except EngineRefused as refusal:
                log.warning("An output cannot be read", extra=_extra(work.key, refusal))
                lacked[path] = MissingReason.UNREADABLE
            else:
                if seen is None:
                    lacked[path] = MissingReason.TOO_LARGE
                else:
                    found.append(seen)
                    left -= seen.size_bytes
        return found, lacked

    def _look(self, container: str | None, path: str, *, most: int) -> FoundOutput | None:
        if container is None:
            raise EngineRefused(ReasonCode.ENGINE_ERROR, "the container is gone")
        digest = hashlib.sha256()
        with self._ports.engine.open_file(container, path) as file:
            if file.size_bytes > most:
                return None
            for part in file.parts:
                digest.update(part)
            return FoundOutput(path=path, size_bytes=file.size_bytes, sha256=digest.hexdigest())

    def _sent(self, container: str | None, wanted: WantedOutput) -> bool:
        """Send one output; tell whether it was taken. Raises: EngineAway, FilesAway."""
        assert container is not None
        try:
            with self._ports.engine.open_file(container, wanted.path) as file:
                self._ports.transfers.send(wanted.url, wanted.headers, file.parts)
        except (FilesRefused, EngineRefused) as refusal:
            log.warning("An output was not taken", extra={"path": wanted.path, "why": str(refusal)})
            return False
        return True


_Entry = tuple[bytes, int, bytes | GivenFile]
_END = bytes(2 * tarfile.BLOCKSIZE)


def _heads(grant: Grant) -> Iterator[_Entry]:
    """Describe what goes into the volume: the head of each entry, its size, and its content."""
    given = input_json(grant.spec)
    if given is not None:
        yield _head(INPUT_PATH, size=len(given)), len(given), given
    if grant.files:
        yield _head(FILES_PATH, mode=FOLDER, kind=tarfile.DIRTYPE), 0, b""
    for file in grant.files:
        yield _head(f"{FILES_PATH}/{file.name}", size=file.size_bytes), file.size_bytes, file


def _head(
    path: str, *, size: int = 0, mode: int = READ_ONLY, kind: bytes = tarfile.REGTYPE
) -> bytes:
    """Write the head of an entry, by its path from the volume on; it is root's, to be read only."""
    entry = tarfile.TarInfo(path.removeprefix(f"{VOLUME_PATH}/"))
    entry.size, entry.mode, entry.type = size, mode, kind
    return entry.tobuf(tarfile.GNU_FORMAT)


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _key(grant: Grant) -> Key:
    return Key(grant.job, grant.attempt)


def _extra(key: Key, problem: Exception) -> dict[str, Any]:
    return {"job_id": key.job, "attempt": key.attempt, "why": str(problem)}
