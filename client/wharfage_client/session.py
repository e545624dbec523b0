"""The session of a profile, kept in a file that only its owner can read.

A refresh token works once, and a second use ends the session. So whoever refreshes holds a lock,
looks first whether another process has been quicker, and writes the new tokens down before
anything uses them.
"""

import fcntl
import json
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wharfage_client.errors import LocalError, NotSignedIn
from wharfage_client.views import Tokens

_MODE = 0o600
_FOLDER_MODE = 0o700


class StoredSession:
    """`api.Keeper` over a file. It belongs to one server: no other is ever shown its tokens."""

    def __init__(self, file: Path, *, url: str | None) -> None:
        self.file = file
        self._url = url

    @property
    def url(self) -> str | None:
        """The server this profile was used with last. Raises: LocalError."""
        return self._read().get("url")

    @property
    def email(self) -> str | None:
        """Who signed in last. Raises: LocalError."""
        return self._read().get("email")

    @property
    def mode(self) -> int | None:
        """The permission bits of the file; None when there is none."""
        return self.file.stat().st_mode & 0o777 if self.file.exists() else None

    def access_token(self) -> str | None:
        """Give the access token as it is now, if it is this server's. Raises: LocalError."""
        return self._own().get("access_token")

    def renew(self, stale: str, refresh: Callable[[str], Tokens]) -> str:
        """Give an access token that is not *stale*, asking for a new one only if nobody else has.

        Raises: LocalError, ApiError.
        """
        with self._locked(), _uninterrupted():
            kept = self._own()
            if "refresh_token" not in kept:
                raise LocalError("not_signed_in")
            if kept["access_token"] != stale:
                return kept["access_token"]
            try:
                fresh = refresh(kept["refresh_token"])
            except NotSignedIn:
                self._write(_remembered(kept))
                raise
            self._write(kept | _tokens(fresh))
            return fresh["access_token"]

    def keep(self, tokens: Tokens, *, email: str) -> None:
        """Begin to keep a session. Raises: LocalError."""
        if self._url is None:
            raise LocalError("no_server")
        with self._locked(), _uninterrupted():
            self._write({"url": self._url, "email": email} | _tokens(tokens))

    def forget(self) -> None:
        """Keep nothing of the session but where and who it was. Raises: LocalError."""
        with self._locked():
            if self.file.exists():
                self._write(_remembered(self._read()))

    def _own(self) -> dict[str, str]:
        kept = self._read()
        return kept if kept.get("url") == self._url else {}

    def _read(self) -> dict[str, str]:
        try:
            kept = json.loads(self.file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise LocalError("session_file", file=str(self.file), reason=str(error)) from error
        if not isinstance(kept, dict):
            raise LocalError("session_file", file=str(self.file), reason="not an object")
        return {str(name): str(value) for name, value in kept.items()}

    def _write(self, kept: dict[str, str]) -> None:
        """Replace the file whole: a reader sees the old one or the new one, also after a crash."""
        draft = self.file.with_name(f"{self.file.name}.{secrets.token_hex(8)}")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
            with os.fdopen(handle, "w") as out:
                json.dump(kept, out, indent=2)
                out.flush()
                os.fsync(out.fileno())
            draft.replace(self.file)
            _sync(self.file.parent)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise LocalError("session_file", file=str(self.file), reason=str(error)) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes, and other threads of this one, from changing the session."""
        try:
            self.file.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            handle = os.open(self.file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, _MODE)
        except OSError as error:
            raise LocalError("session_file", file=str(self.file), reason=str(error)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _tokens(tokens: Tokens) -> dict[str, Any]:
    names = ("access_token", "refresh_token", "refresh_expires_at", "account", "session")
    found: dict[str, Any] = {**tokens}
    return {name: found[name] for name in names if name in found}


def _remembered(kept: dict[str, str]) -> dict[str, str]:
    return {name: kept[name] for name in ("url", "email") if name in kept}


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off: between the answer and the file, a session would be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python interrupts its main thread only.
        return
    came: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(each, lambda number, _: came.append(number)) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
    if came:
        signal.raise_signal(came[0])


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
