"""Runs worlds by seed, counts them, and tells how to see again what went wrong."""

import argparse
import gc
import subprocess
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.schedule import Livelock
from tests.simulation.settings import Settings
from tests.simulation.trace import Violation
from tests.simulation.world import World

KEPT = Path(__file__).with_name("seeds.txt")
BATCH = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one world."""

    seed: int
    simulated_seconds: float
    cpu_seconds: float
    digest: str = ""
    overlaps: int = 0
    started: int = 0
    invariant: str | None = None
    report: str = ""


def run_seed(seed: int, *, trace: bool = False) -> Outcome:
    """Run one world to its end."""
    settings = Settings.draw(seed)
    shown = str(settings)  # Its rates are gone once it has healed.
    world = World(settings)
    began = time.process_time()
    invariant, report = None, ""
    try:
        world.run()
    except Violation as violation:
        invariant = violation.invariant
        report = _report(world, shown, violation.subject, str(violation))
    except (Exception, Livelock):  # noqa: BLE001 - it is reported as what broke the world
        invariant = "crash"
        report = _report(world, shown, "", traceback.format_exc())
    cpu_seconds = time.process_time() - began
    world.scheduler.end()
    if trace:
        report = "\n".join([*world.trace, "", report])
    return Outcome(
        seed=seed,
        simulated_seconds=world.scheduler.now,
        cpu_seconds=cpu_seconds,
        digest=world.trace.digest() if trace else "",
        overlaps=world.starts.overlaps,
        started=len(world.starts.ran),
        invariant=invariant,
        report=report,
    )


def kept_seeds() -> list[int]:
    """Return the seeds that ever failed."""
    lines = (line.partition("#")[0].strip() for line in KEPT.read_text().splitlines())
    return [int(line) for line in lines if line]


def run_seeds(seeds: Sequence[int]) -> list[Outcome]:
    """Run many worlds one after another."""
    gc.disable()
    outcomes = []
    for number, seed in enumerate(seeds):
        outcomes.append(run_seed(seed))
        if number % 20 == 19:
            gc.collect()
    gc.enable()
    return outcomes


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; return 1 if anything was violated."""
    options = _parser().parse_args(arguments)
    if options.seed is not None:
        outcome = run_seed(options.seed, trace=options.trace)
        print(outcome.report or f"seed {outcome.seed}: nothing was violated")
        return int(outcome.invariant is not None)
    began = time.monotonic()
    kept = kept_seeds() if options.kept else []
    fresh = range(options.first, options.first + options.seeds)
    ends_at = None if options.minutes is None else began + 60 * options.minutes
    outcomes: list[Outcome] = []
    for batch in _carried([*kept, *fresh], options.jobs):
        outcomes += batch
        for outcome in batch:
            if outcome.invariant is not None and options.verbose:
                print(f"{outcome.report}\n", flush=True)
            elif outcome.invariant is not None:
                lines = outcome.report.splitlines()
                print(f"seed {outcome.seed}: {lines[2] if len(lines) > 2 else lines}", flush=True)
        if ends_at is not None and time.monotonic() > ends_at:
            break
    print(_summary(outcomes, time.monotonic() - began))
    return int(any(outcome.invariant for outcome in outcomes))


def _carried(seeds: list[int], jobs: int) -> Iterator[list[Outcome]]:
    batches = [seeds[begin : begin + BATCH] for begin in range(0, len(seeds), BATCH)]
    if jobs == 1:
        yield from map(run_seeds, batches)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run_seeds, batches)


def _summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    cpu = sum(outcome.cpu_seconds for outcome in outcomes) or 1e-9
    simulated = sum(outcome.simulated_seconds for outcome in outcomes)
    violated = [outcome for outcome in outcomes if outcome.invariant]
    return (
        f"{len(outcomes)} worlds in {seconds:.1f} s: "
        f"{60 * len(outcomes) / cpu:.0f} worlds a core-minute, "
        f"{simulated / max(seconds, 1e-9):.0f} simulated seconds a real second; "
        f"{sum(o.started for o in outcomes)} containers started, "
        f"{sum(o.overlaps for o in outcomes)} beside an earlier attempt of the same job; "
        f"{len(violated)} violations"
        + (f": seeds {[outcome.seed for outcome in violated][:50]}" if violated else "")
    )


def _report(world: World, settings: str, subject: str, text: str) -> str:
    lines = world.trace.about(subject)
    return "\n".join(
        [
            f"seed {world.settings.seed} at commit {_commit()}, {world.scheduler.now:.3f} s",
            settings.replace("\n", "; "),
            text,
            *lines,
            f"again: python -m tests.simulation --seed {world.settings.seed} --trace",
        ]
    )


def _commit() -> str:
    asked = ["git", "rev-parse", "--short", "HEAD"]
    found = subprocess.run(asked, capture_output=True, check=False, cwd=KEPT.parent, text=True)
    return found.stdout.strip() or "unknown"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one world")
    parser.add_argument("--trace", action="store_true", help="and show everything that happens")
    parser.add_argument("--seeds", type=int, default=1000, help="how many fresh worlds")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first fresh seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--minutes", type=float, default=None, help="end after so long")
    parser.add_argument("--kept", action="store_true", help="run the kept seeds first")
    parser.add_argument("--verbose", action="store_true", help="show each violation whole")
    return parser
