"""A wire that can be cut: a TCP proxy whose connections break, stall, fall silent or come late."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from enum import StrEnum

_CHUNK_BYTES = 64 * 1024
_LOOK_SECONDS = 0.1
_RESET = struct.pack("ii", 1, 0)  #: Linger for no time: closing sends a reset.


class Mode(StrEnum):
    """How a wire behaves."""

    OPEN = "open"
    CUT = "cut"  #: Connections are reset; new ones at once.
    HALF_OPEN = "half_open"  #: Connections stay, and nothing passes; reset when that is over.
    DROP_ANSWERS = "drop_answers"  #: What is asked arrives; what is answered does not.
    SLOW = "slow"  #: Every chunk waits.


class Wire:
    """One proxy: what connects to *listener* talks to *target*. *tap* sees what is asked."""

    def __init__(
        self,
        listener: socket.socket,
        target: tuple[str, int],
        *,
        tap: Callable[[], Callable[[bytes], None]] | None = None,
    ) -> None:
        self._listener = listener
        self._target = target
        self._tap = tap
        self._mode = Mode.OPEN
        self._delay = 0.0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        listener.settimeout(_LOOK_SECONDS)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        """Return where it listens."""
        host, port = self._listener.getsockname()
        return host, port

    def set(self, mode: Mode, *, delay: float = 0.0) -> None:
        """Behave differently from now on; what was broken by the last mode does not heal."""
        last, self._delay, self._mode = self._mode, delay, mode
        broken = (Mode.CUT, Mode.HALF_OPEN, Mode.DROP_ANSWERS)
        if mode is Mode.CUT or (last in broken and mode is not last):
            self._reset_all()

    def close(self) -> None:
        """End it, and every connection."""
        self._closed.set()
        self._listener.close()
        self._reset_all()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                caller, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self._mode is Mode.CUT:
                _reset(caller)
                continue
            threading.Thread(target=self._connect, args=(caller,), daemon=True).start()

    def _connect(self, caller: socket.socket) -> None:
        try:
            callee = socket.create_connection(self._target, timeout=5)
        except OSError:
            _reset(caller)
            return
        for end in (caller, callee):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {caller, callee}
        tap = self._tap() if self._tap is not None else None
        back = threading.Thread(target=self._pump, args=(callee, caller, True), daemon=True)
        back.start()
        self._pump(caller, callee, False, tap)
        back.join()
        with self._lock:
            self._open -= {caller, callee}
        caller.close()
        callee.close()

    def _pump(
        self,
        source: socket.socket,
        sink: socket.socket,
        answers: bool,
        tap: Callable[[bytes], None] | None = None,
    ) -> None:
        try:
            while data := source.recv(_CHUNK_BYTES):
                if tap is not None:
                    tap(data)
                if self._passes(answers=answers):
                    sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):  # A connection that is half closed is of no use to HTTP.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _passes(self, *, answers: bool) -> bool:
        """Hold a chunk back as long as it is held; tell whether it arrives."""
        if self._mode is Mode.SLOW:
            self._closed.wait(self._delay)
        while self._mode is Mode.HALF_OPEN and not self._closed.is_set():
            time.sleep(_LOOK_SECONDS)
        return not (self._mode is Mode.DROP_ANSWERS and answers)

    def _reset_all(self) -> None:
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    end.close()
