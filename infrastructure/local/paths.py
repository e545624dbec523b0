"""Where everything of the local stack lives: a folder in the checkout, and one for sockets.

Everything durable is under `var/` in the checkout, or under `WHARFAGE_HOME`. Two stacks with two
homes share nothing. Sockets live elsewhere, because the kernel allows a socket path 107 bytes and
a checkout may be deep.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infrastructure.setup.layout import VAR

#: `sun_path` of a unix socket is 108 bytes with its closing NUL (unix(7)).
SOCKET_PATH_BYTES_MAX = 107


class UnsafeFolder(Exception):
    """A folder for sockets exists already and is not ours alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Paths:
    """The places of one stack. Nothing is created until it is asked for with `made`."""

    home: Path
    runtime: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Paths":
        """Find the stack's places from the environment: `WHARFAGE_HOME`, `XDG_RUNTIME_DIR`."""
        home = Path(environ.get("WHARFAGE_HOME") or VAR).resolve()
        return cls(home=home, runtime=_runtime(home, environ))

    @property
    def stack(self) -> Path:
        return self.home / "stack"

    @property
    def store(self) -> Path:
        """The SQLite file that holds the money and the work."""
        return self.stack / "store.sqlite3"

    @property
    def keys(self) -> Path:
        return self.stack / "keys"

    @property
    def logs(self) -> Path:
        return self.stack / "logs"

    @property
    def records(self) -> Path:
        """The pid files, one a child."""
        return self.stack / "run"

    @property
    def ports(self) -> Path:
        return self.stack / "ports.json"

    @property
    def lock(self) -> Path:
        return self.stack / "lock"

    @property
    def registry(self) -> Path:
        return self.stack / "registry"

    @property
    def objects(self) -> Path:
        """Uploads and outputs: what S3 holds on AWS."""
        return self.stack / "objects"

    @property
    def packages(self) -> Path:
        """Packages that images are made from; they can be fetched again."""
        return self.home / "packages"

    @property
    def agent(self) -> Path:
        """The agent's token and journal."""
        return self.stack / "agent"

    @property
    def engine(self) -> Path:
        """The data root of an engine of our own."""
        return self.home / "engine"

    def socket(self, name: str) -> Path:
        """Name a unix socket in the runtime folder.

        Raises: ValueError when the kernel could not bind the path.
        """
        path = self.runtime / f"{name}.sock"
        if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
            raise ValueError(f"{path} is longer than {SOCKET_PATH_BYTES_MAX} bytes")
        return path


def made(folder: Path) -> Path:
    """Make *folder*, readable by its owner only, and give it back.

    Raises: UnsafeFolder when it exists and somebody else owns it or can write into it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise UnsafeFolder(f"{folder} is not a folder that only this user can write into")
    return folder


def _runtime(home: Path, environ: Mapping[str, str]) -> Path:
    name = "wharfage-" + hashlib.sha256(os.fsencode(home)).hexdigest()[:8]
    if os.geteuid() == 0 and Path("/run").is_dir():
        return Path("/run") / name
    if session := environ.get("XDG_RUNTIME_DIR"):
        return Path(session) / name
    # Anybody may have made this one; `made` refuses it then.
    return Path("/tmp") / f"{name}-{os.geteuid()}"  # noqa: S108
