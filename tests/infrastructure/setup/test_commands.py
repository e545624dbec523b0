"""The command line of ./dev, run as a newcomer would: in a checkout of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.setup.commands import COMMANDS
from infrastructure.setup.layout import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what `./dev` is made of, and nothing it makes."""
    for name in ("dev", "pyproject.toml", "requirements.lock", "infrastructure/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("requirements", "infrastructure/setup"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def dev(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, checkout / "dev", *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def test_help_names_every_command(checkout: Path):
    finished = dev(checkout, "help")

    assert finished.returncode == 0
    assert [name for name in COMMANDS if f"  {name} " not in finished.stdout] == []


def test_no_command_is_a_mistake_that_is_answered_with_the_usage(checkout: Path):
    finished = dev(checkout)

    assert finished.returncode == 2
    assert "usage: ./dev COMMAND" in finished.stdout


def test_an_unknown_command_is_a_mistake(checkout: Path):
    finished = dev(checkout, "fly")

    assert finished.returncode == 2
    assert "no command 'fly'" in finished.stdout


def test_arguments_for_pytest_come_after_two_dashes(checkout: Path):
    finished = dev(checkout, "test", "tests/domain")

    assert finished.returncode == 1
    assert "./dev test -- tests/domain" in finished.stderr


def test_doctor_lists_needs_and_environments_and_makes_nothing(checkout: Path):
    finished = dev(checkout, "doctor")

    assert "Docker Engine" in finished.stdout
    assert "will be made" in finished.stdout
    assert "Payment channels are looked at once" in finished.stdout
    assert not (checkout / ".venv").exists()
    assert not (checkout / "var").exists()


def test_down_with_nothing_set_up_has_nothing_to_do(checkout: Path):
    finished = dev(checkout, "down")

    assert finished.returncode == 0
    assert "nothing of it runs" in finished.stdout


def test_clean_removes_what_was_made_and_nothing_else(checkout: Path):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / "var" / "cache").mkdir(parents=True)

    finished = dev(checkout, "clean", "--yes")

    assert finished.returncode == 0
    assert not (checkout / ".venv").exists()
    assert not (checkout / "var").exists()
    assert (checkout / "requirements.lock").exists()


def test_clean_without_a_yes_removes_nothing(checkout: Path):
    (checkout / "var").mkdir()

    finished = dev(checkout, "clean")

    assert finished.returncode == 1
    assert (checkout / "var").exists()


def test_clean_in_a_clean_checkout_is_done_at_once(checkout: Path):
    finished = dev(checkout, "clean")

    assert finished.returncode == 0
    assert "nothing to remove" in finished.stdout
