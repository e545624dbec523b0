"""The loopback ports of the stack: free when chosen, and the same again at the next start.

Ports come from below the kernel's ephemeral range, so that an outgoing connection of some other
program cannot sit on the port of a child that is about to be started again.
"""

import errno
import hashlib
import json
import os
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
PORT_FIRST = 20_000
PORT_LAST = 31_999
_SPAN = PORT_LAST - PORT_FIRST + 1


class NoFreePort(Exception):
    """Every port of the range is taken."""


class Ports:
    """Names to ports, remembered in one JSON file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, int] = _read(file)

    def take(self, name: str, *, preferred: int | None = None) -> int:
        """Choose the port of *name*: the remembered one, else *preferred*, else the next free one.

        Raises: NoFreePort.
        """
        others = {port for other, port in self._known.items() if other != name}
        for port in self._candidates(name, preferred):
            if port not in others and free(port):
                if self._known.get(name) != port:
                    self._known[name] = port
                    self._write()
                return port
        raise NoFreePort(f"no port between {PORT_FIRST} and {PORT_LAST} is free for {name}")

    def known(self, name: str) -> int | None:
        """Read the port *name* had last, free or not."""
        return self._known.get(name)

    def _candidates(self, name: str, preferred: int | None) -> list[int]:
        digest = hashlib.sha256(f"{self._file}\0{name}".encode()).digest()
        start = int.from_bytes(digest[:4], "big") % _SPAN
        wanted = [port for port in (self._known.get(name), preferred) if port is not None]
        return wanted + [PORT_FIRST + (start + step) % _SPAN for step in range(_SPAN)]

    def _write(self) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(self._known, indent=2, sort_keys=True) + "\n")
        draft.replace(self._file)


def free(port: int) -> bool:
    """Ask the kernel whether *port* can be bound on loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of the last life in TIME_WAIT do not make a port taken; a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def _read(file: Path) -> dict[str, int]:
    try:
        known = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}  # A lost or torn file costs an address, nothing else.
    if not isinstance(known, dict):
        return {}
    return {
        name: port for name, port in known.items() if isinstance(port, int) and 0 < port < 65_536
    }
