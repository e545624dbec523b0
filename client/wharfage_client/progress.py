"""How far a job is, told on stderr: a line a phase, the present one counting on a terminal."""

import shutil
import sys
import threading
import time
from collections.abc import Callable

from wharfage_client.console import Console, clean, fitted
from wharfage_client.quantities import duration

_TICK_SECONDS = 0.1
_LABEL_COLUMNS = 10


class Progress:
    """Phases of one job. It tells nothing when *told* is false; *live* repaints the last line."""

    def __init__(
        self,
        console: Console,
        *,
        told: bool,
        live: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._told = told
        self._live = live
        self._clock = clock
        self._began = clock()
        self._phase: tuple[str, str] | None = None
        self._lock = threading.Lock()
        self._quiet = threading.Event()
        self._ticker: threading.Thread | None = None

    @property
    def elapsed_seconds(self) -> float:
        """The time since the beginning."""
        return self._clock() - self._began

    def phase(self, label: str, text: str) -> None:
        """Tell of a phase; the same again says nothing new."""
        if not self._told or (label, text) == self._phase:
            return
        with self._lock:
            if self._live and self._phase is not None and label != self._phase[0]:
                print(file=sys.stderr)
            self._phase = (label, text)
            self._paint()
        if self._live and self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()

    def rest(self) -> None:
        """Paint nothing more until the next phase: the container writes now."""
        self._quiet.set()
        if self._ticker is not None:
            self._ticker.join()
            self._ticker = None
        with self._lock:
            if self._live and self._phase is not None:
                print(file=sys.stderr, flush=True)
            self._phase = None
        self._quiet.clear()

    def _tick(self) -> None:
        while not self._quiet.wait(_TICK_SECONDS):
            with self._lock:
                self._paint()

    def _paint(self) -> None:
        assert self._phase is not None, "there is a phase while something is painted"
        label, text = map(clean, self._phase)
        line = f"{label.ljust(_LABEL_COLUMNS)} {duration(self.elapsed_seconds).rjust(6)}  {text}"
        if self._live:
            line = fitted(line, shutil.get_terminal_size().columns - 1)
            print(f"\r\x1b[K{self._console.dim(line)}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)
