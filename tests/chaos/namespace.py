"""A network of its own on this machine: only loopback, and on it only what we listen with."""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP_RUNNING = 0x41
_OURS = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace, alive until it is closed. Needs root.

    A socket stays in the namespace it was made in, so what listens inside is served from outside.
    """

    def __init__(self) -> None:
        self._file = _in_thread(self._make)

    @property
    def words(self) -> tuple[str, ...]:
        """Return what comes before a command that is to run inside."""
        return ("nsenter", f"--net=/proc/{os.getpid()}/fd/{self._file}")

    def listen(self, port: int) -> socket.socket:
        """Listen on loopback inside."""

        def open_inside() -> socket.socket:
            _checked(_libc.setns(self._file, _CLONE_NEWNET))
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
            return listener

        return _in_thread(open_inside)

    def close(self) -> None:
        """Let go of it; it lives on while somebody is inside."""
        os.close(self._file)

    def _make(self) -> int:
        _checked(_libc.unshare(_CLONE_NEWNET))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            request = struct.pack("16sH14s", b"lo", _IFF_UP_RUNNING, b"")
            fcntl.ioctl(control, _SIOCSIFFLAGS, request)
        return os.open(_OURS, os.O_RDONLY)


def _in_thread(call: Callable[[], T]) -> T:
    """Call from a thread that ends: a namespace is a thread's own, and so none has to go back."""
    found: list[T] = []
    wrong: list[BaseException] = []

    def carry() -> None:
        try:
            found.append(call())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it was asked for
            wrong.append(error)

    thread = threading.Thread(target=carry)
    thread.start()
    thread.join()
    if wrong:
        raise wrong[0]
    return found[0]


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
