"""The whole product under faults, by seed: every kept seed, and some fresh ones."""

import os
import subprocess
import sys

import pytest

from tests.simulation.guards import MUTATIONS, SELDOM
from tests.simulation.mutations import groups, noticed, run, without
from tests.simulation.runner import kept_seeds, run_seed
from tests.simulation.settings import MOST, Settings

FRESH_FROM = 1_000_000
BATCHES, BATCH = 16, 50
FEW = 200  #: Worlds without a guard; the whole gate tries more.


@pytest.mark.parametrize("seed", kept_seeds())
def test_a_seed_that_failed_once_does_not_fail_again(seed):
    outcome = run_seed(seed)

    assert outcome.invariant is None, outcome.report


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_fresh_seed_violates_anything(batch):
    first = FRESH_FROM + batch * BATCH

    for seed in range(first, first + BATCH):
        outcome = run_seed(seed)
        assert outcome.invariant is None, outcome.report


def test_a_seed_gives_the_same_trace_in_every_process():
    environ = os.environ | {"PYTHONHASHSEED": "4711"}
    program = (
        "from tests.simulation.runner import run_seed;"
        "print([run_seed(seed, trace=True).digest for seed in range(12)])"
    )

    here = [run_seed(seed, trace=True).digest for seed in range(12)]
    there = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=environ, text=True
    )

    assert there.stdout.strip() == str(here)


def test_every_class_of_faults_is_off_in_some_worlds_and_on_in_others():
    drawn = [Settings.draw(seed).rates for seed in range(200)]

    for name in MOST:
        on = sum(rates[name] > 0 for rates in drawn)
        assert 200 * 0.45 < on < 200 * 0.75, name


def test_every_guard_was_noticed_when_it_was_taken_away():
    assert noticed().keys() == set(groups())


@pytest.mark.parametrize("names", noticed(), ids=" + ".join)
def test_a_guard_that_is_taken_away_is_missed(names):
    verdict = run(names, seeds=FEW, first=0)

    assert verdict.seed is not None


@pytest.mark.parametrize("name", SELDOM)
def test_a_guard_that_worlds_seldom_need_is_missed_by_its_test(name, tmp_path):
    asked = ["--basetemp", str(tmp_path / "its"), f"tests/{SELDOM[name]}"]
    program = (
        "import pytest;"
        "from tests.simulation.mutations import without;"
        f"guard = without({name!r});"
        "guard.__enter__();"
        f"raise SystemExit(pytest.main({asked}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=False,
        env=os.environ | {"CI": "true"},
        text=True,
        timeout=120,
    )

    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout


def test_a_report_names_the_seed_the_invariant_and_how_to_see_it_again():
    with without("hold in the transaction of its job"):
        outcome = run_seed(1)

    assert outcome.invariant == "M4"
    assert "seed 1 at commit" in outcome.report
    assert "M4: held moved" in outcome.report
    assert outcome.report.endswith("python -m tests.simulation --seed 1 --trace")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_every_guard_is_where_the_gate_looks_for_it(mutation):
    with without(mutation.name):
        pass
