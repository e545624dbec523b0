"""Files in a folder of this machine, and signed links to the door in front of it.

An object is a folder that is named by its key, with one file in it that is named by the SHA-256
of its bytes: so what is there is known without reading it, and a whole file appears at once.
"""

import hashlib
import hmac
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from wharfage.domain.link import Link, ObjectHead
from wharfage.ports import Clock

DOOR = "/objects/"  #: What the paths of all links begin with.
CHUNK_BYTES = 256 * 1024
_KEY = re.compile(r"(uploads|outputs)(/[a-z0-9_]+)+\Z")
_ARRIVING = ".arriving"
_ARRIVING_HOURS = 1  #: What has been arriving for longer is not arriving any more.

Read = Callable[[int], bytes]


class LinkRefused(Exception):
    """The link was not made by us, or for something else, or its time is over."""


class WrongBytes(Exception):
    """What was sent is not what the link was made for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """What a link that was found good lets its holder do."""

    method: str
    key: str
    expires: int
    size_bytes: int = 0
    sha256: str = ""
    name: str = ""

    @property
    def signed(self) -> bytes:
        """Return what the signature is made over: no field can be taken for another."""
        parts = (self.method, self.key, self.expires, self.size_bytes, self.sha256, self.name)
        return "\n".join(quote(str(part), safe="/") for part in parts).encode()


class FolderObjects:
    """`ports.Objects` in a folder. The door that serves the links is given by `permission`."""

    def __init__(self, root: Path, *, url: str, key: bytes, clock: Clock) -> None:
        """*url* is where the door is reached; *key* signs the links."""
        self._root = root
        self._url = url
        self._key = key
        self._clock = clock

    def put_link(self, key: str, *, size_bytes: int, sha256: str, seconds: int) -> Link:
        """Make a link that takes exactly these bytes."""
        link = self._link("PUT", key, seconds, size_bytes=size_bytes, sha256=sha256)
        headers = {"content-length": str(size_bytes)}
        return Link(url=link.url, expires_at=link.expires_at, headers=headers)

    def get_link(self, key: str, *, name: str, seconds: int) -> Link:
        """Make a link that gives the bytes, to be saved as *name*."""
        return self._link("GET", key, seconds, name=name)

    def head(self, key: str) -> ObjectHead | None:
        """Say what is there."""
        found = self.file(key)
        if found is None:
            return None
        with suppress(FileNotFoundError):  # It was removed, or another took its place, just now.
            return ObjectHead(size_bytes=found.stat().st_size, sha256=found.name)
        return None

    def delete(self, key: str) -> None:
        """Remove what is there; a repeat agrees."""
        folder = self._folder(key)
        with suppress(FileNotFoundError, NotADirectoryError):
            for each in list(folder.iterdir()):
                each.unlink(missing_ok=True)
            folder.rmdir()

    # What the door needs.

    def permission(self, method: str, path: str, query: Mapping[str, str]) -> Permission:
        """Say what a link allows. *path* is decoded. Raises: LinkRefused."""
        try:
            allowed = Permission(
                method=method,
                key=path.removeprefix(DOOR),
                expires=int(query["expires"]),
                size_bytes=int(query.get("size_bytes", "0")),
                sha256=query.get("sha256", ""),
                name=query.get("name", ""),
            )
            given = query["signature"].encode()
        except (KeyError, ValueError):
            raise LinkRefused from None
        if not hmac.compare_digest(self._signature(allowed).encode(), given):
            raise LinkRefused
        if self._clock.now().timestamp() >= allowed.expires:
            raise LinkRefused
        return allowed

    def file(self, key: str) -> Path | None:
        """Find the file that holds an object; None if there is none."""
        try:
            found = [each for each in self._folder(key).iterdir() if each.name != _ARRIVING]
            return max(found, key=lambda each: each.stat().st_mtime_ns, default=None)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def take(self, allowed: Permission, read: Read) -> None:
        """Keep the bytes that *read* gives, if they are those of the link: all or nothing.

        Raises: WrongBytes; OSError when the disk is full.
        """
        arriving = self._root / _ARRIVING
        arriving.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=arriving)
        try:
            with os.fdopen(descriptor, "wb") as file:
                digest, left = hashlib.sha256(), allowed.size_bytes
                while left and (part := read(min(CHUNK_BYTES, left))):
                    file.write(part)
                    digest.update(part)
                    left -= len(part)
                if left or read(1) or digest.hexdigest() != allowed.sha256:
                    raise WrongBytes
                file.flush()
                os.fsync(file.fileno())
            self._put(Path(draft), allowed)
        finally:
            Path(draft).unlink(missing_ok=True)

    def expire(self, days: Mapping[str, int]) -> int:
        """Remove what is older than its part may be, as a bucket's rules do; return how much."""
        count, now = 0, self._clock.now()
        ages = {part: timedelta(days=most) for part, most in days.items()}
        for part, most in (ages | {_ARRIVING: timedelta(hours=_ARRIVING_HOURS)}).items():
            for file in [each for each in (self._root / part).rglob("*") if each.is_file()]:
                with suppress(FileNotFoundError):
                    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
                    if now - written > most:
                        file.unlink()
                        count += 1
        return count

    def _put(self, draft: Path, allowed: Permission) -> None:
        folder = self._folder(allowed.key)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.replace(folder / allowed.sha256)
        for other in folder.iterdir():
            if other.name != allowed.sha256:
                other.unlink(missing_ok=True)

    def _link(
        self,
        method: str,
        key: str,
        seconds: int,
        *,
        size_bytes: int = 0,
        sha256: str = "",
        name: str = "",
    ) -> Link:
        self._folder(key)
        expires_at = self._clock.now() + timedelta(seconds=seconds)
        allowed = Permission(
            method=method,
            key=key,
            expires=int(expires_at.timestamp()),
            size_bytes=size_bytes,
            sha256=sha256,
            name=name,
        )
        query = urlencode(
            {
                "expires": allowed.expires,
                **({"size_bytes": size_bytes, "sha256": sha256} if sha256 else {"name": name}),
                "signature": self._signature(allowed),
            }
        )
        return Link(url=f"{self._url}{DOOR}{quote(key)}?{query}", expires_at=expires_at)

    def _signature(self, allowed: Permission) -> str:
        return hmac.digest(self._key, allowed.signed, "sha256").hex()

    def _folder(self, key: str) -> Path:
        """Say where an object is. A key that could lead elsewhere is a mistake of our own."""
        assert _KEY.match(key), "keys are made of our own ids"
        return self._root / key
