"""Who this host is: its token and the control plane's address, in a file only its owner reads."""

import fcntl
import os
import secrets
import threading
from datetime import datetime
from pathlib import Path

import msgspec

from wharfage_agent.errors import UnusableHost

STATE_FILE = "host.json"
LOCK_FILE = "lock"
HOSTS_FILE = "hosts"
BOOT_FILE = "boot"
JOURNAL_FILE = "journal.jsonl"
PRIVATE = 0o600
LOCALHOST = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What enrolling gave. *engine* is the address of the Docker Engine."""

    server: str
    host: str
    token: str
    pool: str
    labels: dict[str, str]
    engine: str
    policy: str | None = None


class State:
    """The agent's directory of state."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._guard = threading.Lock()
        self._identity: Identity | None = None

    @property
    def journal(self) -> Path:
        """Return where the journal is."""
        return self.directory / JOURNAL_FILE

    @property
    def enrolled(self) -> bool:
        """Tell whether this machine is a host already."""
        return (self.directory / STATE_FILE).exists()

    @property
    def identity(self) -> Identity:
        """Return who this host is. Raises: UnusableHost."""
        with self._guard:
            if self._identity is None:
                path = self.directory / STATE_FILE
                try:
                    self._identity = msgspec.json.decode(path.read_bytes(), type=Identity)
                except (OSError, msgspec.DecodeError) as error:
                    raise UnusableHost(
                        f"{path} cannot be read ({error}): run `wharfage-agent enrol` first."
                    ) from error
            return self._identity

    def keep(self, identity: Identity) -> None:
        """Write who this host is; whoever reads meanwhile sees the old or the new, never half."""
        with self._guard:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self.directory / f"{STATE_FILE}.new"
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), PRIVATE)
                file.write(msgspec.json.encode(identity))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.directory / STATE_FILE)
            self._identity = identity

    def lock(self) -> int:
        """Keep a second agent off this state, for as long as this process lives.

        Raises: UnusableHost.
        """
        descriptor = os.open(self.directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, PRIVATE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise UnusableHost(f"Another agent runs on {self.directory}.") from error
        return descriptor

    def next_boot(self, now: datetime) -> str:
        """Name this life of the agent, later in order than every life before it.

        The control plane refuses an earlier boot, so the name goes up even if the clock goes back.
        """
        path = self.directory / BOOT_FILE
        last = int(path.read_text() or "0") if path.exists() else 0
        number = max(int(now.timestamp() * 1000), last + 1)
        fresh = path.with_suffix(".new")
        fresh.write_text(str(number))
        fresh.replace(path)
        return f"bot_{number:014d}{secrets.token_hex(6)}"

    def hosts_file(self) -> Path:
        """Return a file by which `localhost` resolves in a container without a network."""
        path = (self.directory / HOSTS_FILE).resolve()
        if not path.exists() or path.read_text() != LOCALHOST:
            path.write_text(LOCALHOST)
            path.chmod(0o644)
        return path
