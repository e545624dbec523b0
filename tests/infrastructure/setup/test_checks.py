"""Stages all run, and the end is honest."""

import sys

import pytest

from infrastructure.setup import checks
from infrastructure.setup.checks import Stage

GOOD = Stage(name="good", command=(sys.executable, "-c", ""))
BAD = Stage(name="bad", command=(sys.executable, "-c", "raise SystemExit(3)"))
LAST = Stage(name="last", command=(sys.executable, "-c", ""))


def test_all_is_well_when_every_stage_is(capfd: pytest.CaptureFixture[str]):
    assert checks.run([GOOD, LAST])
    assert "2 of 2 passed" in capfd.readouterr().out


def test_one_bad_stage_spoils_the_whole_and_stops_nothing(capfd: pytest.CaptureFixture[str]):
    good = checks.run([GOOD, BAD, LAST])

    said = capfd.readouterr().out
    assert not good
    assert "== last: ok" in said
    assert "FAILED (3)  bad" in said
    assert "2 of 3 passed" in said


def test_the_whole_of_the_checks_is_lint_types_imports_and_tests():
    names = [stage.name for stage in [*checks.lint(), *checks.tests(), *checks.live()]]

    assert names == ["format", "lint", "types", "imports", "tests", "live"]


def test_the_fast_and_the_live_tests_are_together_all_tests():
    def selection(stages: list[Stage]) -> str:
        command = stages[0].command
        return command[command.index("-m") + 1]

    assert {selection(checks.tests()), selection(checks.live())} == {"live", "not live"}
