"""The agent's command for a process whose time of day is another: `python -m tests.chaos.skewed`.

The library that skews the clock (libfaketime) breaks the one call by which Python sleeps, so
sleeping is done by waiting, which it leaves alone.
"""

import sys
import threading
import time
from typing import SupportsIndex

from wharfage_agent.main import main


def _wait(seconds: SupportsIndex | float) -> None:
    threading.Event().wait(float(seconds))


if __name__ == "__main__":
    time.sleep = _wait
    sys.exit(main())
