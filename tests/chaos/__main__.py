"""The chaos program: `./dev chaos [--minutes 10] [--jobs N] [--seed S]`.

Exit code 0: every promise held. The verdict and the timeline are in `var/chaos/<seed>/`.
"""

import argparse
import secrets
import signal
import sys
from pathlib import Path

from infrastructure.local.engine import EngineMissing
from infrastructure.setup.layout import VAR
from tests.chaos.run import Run

JOBS_PER_MINUTE = 55


def main() -> int:
    """Carry out one run."""
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long faults come")
    parser.add_argument("--jobs", type=int, help=f"how many (default {JOBS_PER_MINUTE} a minute)")
    parser.add_argument("--seed", type=int, help="repeat the plan of another run")
    parser.add_argument("--to", type=Path, default=VAR / "chaos", help="where results go")
    asked = parser.parse_args()
    seed = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that all is taken down.
    run = Run(
        seed=seed,
        seconds=asked.minutes * 60,
        jobs=asked.jobs or round(asked.minutes * JOBS_PER_MINUTE),
        folder=asked.to / str(seed),
        say=_say,
    )
    _say(f"seed {seed}; again: ./dev chaos --minutes {asked.minutes:g} --seed {seed}")
    try:
        result = run.carry_out()
    except EngineMissing as missing:
        sys.stderr.write(f"./dev chaos kills the engine, so it needs one of its own. {missing}\n")
        return 1
    for name, judged in result["invariants"].items():
        _say(f"{'holds ' if judged['holds'] else 'BROKEN'}  {name}")
        for each in judged["broken"]:
            _say(f"          {each}")
    for name, figure in result["aims"].items():
        _say(f"{name}: {figure}")
    _say(f"faults: {dict(result['faults']['carried_out'])}; see {run.folder}/timeline.html")
    return 0 if result["clean"] else 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
