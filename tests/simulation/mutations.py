"""The mutation gate: takes one guard away at a time, and sees whether the worlds notice.

`python -m tests.simulation.mutations --seeds 2000 --record`. No production code knows of it: a
function's source is changed in memory, and its code is put in the old one's place. What noticed is
kept in noticed.tsv, so that test_worlds.py tries that world first.
"""

import argparse
import ast
import builtins
import dis
import inspect
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from tests.simulation.guards import MUTATIONS, REDUNDANT, SELDOM
from tests.simulation.mutation import Mutation
from tests.simulation.runner import kept_seeds, run_seed

NOTICED = Path(__file__).with_name("noticed.tsv")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of a world without some guards."""

    names: tuple[str, ...]
    seed: int | None  #: Which seed noticed it, None if none did.
    invariant: str
    worlds: int
    seconds: float


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Take these guards away for a while."""
    chosen = [each for each in MUTATIONS if each.name in names]
    with ExitStack() as stack:
        for place in {each.place for each in chosen}:
            stack.enter_context(_applied(place, [each for each in chosen if each.place == place]))
        yield


def run(names: tuple[str, ...], seeds: int, first: int) -> Verdict:
    """Run worlds without these guards until one notices; first the one that did the last time."""
    began = time.process_time()
    tried = [*noticed().get(names, []), *kept_seeds(), *range(first, first + seeds)]
    with without(*names):
        for number, seed in enumerate(tried, start=1):
            outcome = run_seed(seed)
            if outcome.invariant is not None:
                seconds = time.process_time() - began
                return Verdict(
                    names=names,
                    seed=seed,
                    invariant=outcome.invariant,
                    worlds=number,
                    seconds=seconds,
                )
    seconds = time.process_time() - began
    return Verdict(names=names, seed=None, invariant="", worlds=len(tried), seconds=seconds)


@cache
def noticed() -> dict[tuple[str, ...], list[int]]:
    """Read which world noticed each group, when the gate was run last."""
    return {names: [int(line.split("\t")[1])] for names, line in _kept()}


def _kept() -> list[tuple[tuple[str, ...], str]]:
    lines = NOTICED.read_text().splitlines(keepends=True)
    return [(tuple(line.split("\t")[0].split(" + ")), line) for line in lines]


def groups() -> list[tuple[str, ...]]:
    """Name what is taken away together: each guard alone, or with what covers it."""
    alone = [(each.name,) for each in MUTATIONS if each.name not in REDUNDANT]
    together = {frozenset((name, *nets)): (name, *nets) for name, nets in REDUNDANT.items()}
    return [names for names in [*alone, *together.values()] if names[0] not in SELDOM]


def main(arguments: Sequence[str]) -> int:
    """Run the gate; return 1 if something was not noticed."""
    options = _parser().parse_args(arguments)
    chosen = [names for names in groups() if options.only is None or options.only in names[0]]
    survived, rows = 0, dict(_kept())
    if options.left:
        chosen = [names for names in chosen if names not in rows]
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(run, names, options.seeds, options.first) for names in chosen]
        for future in futures:
            verdict = future.result()
            survived += verdict.seed is None
            print(_line(verdict), flush=True)
            if options.record and verdict.seed is not None:
                rows[verdict.names] = _row(verdict)
                NOTICED.write_text("".join(rows[names] for names in groups() if names in rows))
    print(f"{len(chosen) - survived} of {len(chosen)} were noticed")
    return int(survived > 0)


def _line(verdict: Verdict) -> str:
    end = f"{verdict.worlds:5} worlds {verdict.seconds:6.1f} s"
    seed = "SURVIVED" if verdict.seed is None else f"seed {verdict.seed}"
    return f"{' + '.join(verdict.names):70} {seed:12} {verdict.invariant:7} {end}"


def _row(verdict: Verdict) -> str:
    """Write what is kept: the guards, the seed, what it broke, worlds tried, seconds taken."""
    taken = f"{verdict.worlds}\t{verdict.seconds:.1f}"
    return f"{' + '.join(verdict.names)}\t{verdict.seed}\t{verdict.invariant}\t{taken}\n"


@contextmanager
def _applied(place: str, mutations: Sequence[Mutation]) -> Iterator[None]:
    function = _function(place)
    before = function.__code__
    function.__code__ = _mutated(function, place, mutations)
    try:
        yield
    finally:
        function.__code__ = before


def _function(place: str) -> FunctionType:
    module, _, path = place.partition(":")
    found: Any = import_module(module)
    for name in path.split("."):
        found = vars(found)[name]
    if isinstance(found, property):
        found = found.fget
    assert isinstance(found, FunctionType)
    return found


def _mutated(function: FunctionType, place: str, mutations: Sequence[Mutation]) -> CodeType:
    """Compile the function without these guards, in its own module's globals."""
    source = _source(place)
    for each in mutations:
        assert source.count(each.old) == 1, f"{each.name}: its guard is not written as it was"
        source = source.replace(each.old, each.new)
    namespace: dict[str, Any] = {}
    code = compile(source, place, "exec")
    exec(code, dict(function.__globals__), namespace)
    made = namespace[function.__name__]
    assert isinstance(made, FunctionType)
    unknown = {*_global_names(made.__code__)} - {*function.__globals__} - {*vars(builtins)}
    assert not unknown, f"{place}: would only be noticed because of {unknown}"
    return made.__code__


def _source(place: str) -> str:
    """Return the text of a function, without its decorators, as its file has it now."""
    name, _, path = place.partition(":")
    text = inspect.getsource(import_module(name))
    node: ast.AST = ast.parse(text)
    for part in path.split("."):
        node = next(
            each
            for each in ast.iter_child_nodes(node)
            if isinstance(each, ast.FunctionDef | ast.ClassDef) and each.name == part
        )
    assert isinstance(node, ast.FunctionDef)
    return textwrap.dedent("\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno]))


def _global_names(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations")
    parser.add_argument("--seeds", type=int, default=2000, help="how many worlds each may take")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first fresh seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", default=None, help="guards whose name has this text")
    parser.add_argument("--left", action="store_true", help="only guards not recorded as noticed")
    parser.add_argument("--record", action="store_true", help="keep what noticed each")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
