"""Files by links: sent from here, saved here, hashed on the way, never read into memory whole."""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from wharfage_client.api import Client
from wharfage_client.errors import LocalError
from wharfage_client.views import Output, Upload

PART_BYTES = 256 * 1024
TIMEOUT_SECONDS = 60.0
TRIES = 4
_PAUSE_SECONDS = 0.5
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,126}\Z")
_VOLUME = "/wharfage/"


def send(client: Client, path: Path, *, pause: Callable[[float], None] = time.sleep) -> Upload:
    """Upload a file: announce it, and send its bytes until they are taken.

    Raises: LocalError, WharfageError.
    """
    try:
        with path.open("rb") as file:
            size, digest = _measured(file)
            upload = client.uploads.create(size, digest, name=_name(path))
            for left in range(TRIES - 1, -1, -1):
                file.seek(0)
                if (problem := _sent(upload, file)) is None:
                    return upload
                if not left:
                    raise LocalError("file_not_sent", path=str(path), reason=problem)
                pause(_PAUSE_SECONDS)
                upload = client.uploads.get(upload["id"])  # Its link may have run out.
    except OSError as error:
        raise _unusable(path, error) from error
    raise AssertionError("the last try returns or raises")


def save(output: Output, folder: Path) -> Path:
    """Fetch an output into a folder, under its path in the volume; it appears there whole.

    Raises: LocalError.
    """
    place = folder.joinpath(*_inside(output["path"]))
    draft = place.with_name(f".{place.name}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            problem = _fetched(output, file)
        if problem is not None:
            draft.unlink()
            raise LocalError("file_not_fetched", path=output["path"], reason=problem)
        draft.replace(place)
    except OSError as error:
        raise _unusable(place, error) from error
    return place


def _measured(file: BinaryIO) -> tuple[int, str]:
    digest = hashlib.sha256()
    while part := file.read(PART_BYTES):
        digest.update(part)
    return file.tell(), digest.hexdigest()


def _sent(upload: Upload, file: BinaryIO) -> str | None:
    """Send the bytes once; return what was wrong, if anything was."""
    with _connected(upload["url"]) as (connection, target):
        try:
            connection.request("PUT", target, body=file, headers=upload["headers"])
            return _problem(connection.getresponse())
        except (OSError, HTTPException) as error:
            return str(error) or type(error).__name__


def _fetched(output: Output, file: BinaryIO) -> str | None:
    digest, size = hashlib.sha256(), 0
    with _connected(output["url"]) as (connection, target):
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            if (problem := _problem(response)) is not None:
                return problem
            while part := response.read(PART_BYTES):
                file.write(part)
                digest.update(part)
                size += len(part)
        except HTTPException as error:
            return str(error) or type(error).__name__
    if (size, digest.hexdigest()) != (output["size_bytes"], output["sha256"]):
        return "its bytes are not those that the job left"
    return None


def _problem(response: HTTPResponse) -> str | None:
    return None if response.status == 200 else f"the answer is {response.status}"


@contextmanager
def _connected(url: str) -> Iterator[tuple[HTTPConnection, str]]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        yield connection, f"{parts.path}?{parts.query}"
    finally:
        connection.close()


def _name(path: Path) -> str | None:
    """Give the file's name if the API takes such names; it is only for people to read."""
    return path.name if _NAME.match(path.name) else None


def _inside(path: str) -> list[str]:
    """Take a path of the volume apart; whatever the API says, it does not lead out of a folder."""
    names = path.removeprefix(_VOLUME).split("/")
    if not path.startswith(_VOLUME) or any(
        each in ("", ".", "..") or os.sep in each for each in names
    ):
        raise LocalError("file_not_fetched", path=path, reason="its path leads elsewhere")
    return names


def _unusable(path: Path, error: OSError) -> LocalError:
    return LocalError("file_unusable", path=str(path), reason=error.strerror or str(error))
