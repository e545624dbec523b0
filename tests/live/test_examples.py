"""The examples of the documents, run as a reader would, against a stack that runs."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.setup.layout import ROOT
from tests.fixtures.stack import Caller, RunningStack, running

EXAMPLES = ROOT / "docs" / "examples"
COMMANDS = {"main-story.sh": ("sh",), "main_story.py": (sys.executable,)}


@pytest.fixture(scope="module")
def stack(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running(tmp_path_factory.mktemp("examples"), engine_url) as found:
        yield found


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_tells_the_main_story_to_its_end(stack: RunningStack, name: str) -> None:
    customer = Caller(url=stack.url)

    done = subprocess.run(
        (*COMMANDS[name], str(EXAMPLES / name)),
        env=os.environ
        | {
            "WHARFAGE_URL": stack.url,
            "EMAIL": customer.email,
            "PASSWORD": customer.password,
            "PAY": "sandbox",
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "ahoy\n" in done.stdout
    codes = [entry["code"] for entry in customer.sign_in().ledger()]
    assert codes == ["use", "topup"]
    assert customer.adds_up()


def test_the_shell_example_fails_when_a_call_is_refused(stack: RunningStack) -> None:
    given = {"WHARFAGE_URL": stack.url, "EMAIL": "not an address", "PASSWORD": secrets.token_hex()}

    done = subprocess.run(
        ("sh", str(EXAMPLES / "main-story.sh")),
        env=os.environ | given,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert done.returncode != 0
    assert '"code": "email"' in done.stderr


def test_a_restored_backup_has_the_money_of_its_instant_and_works(
    engine_url: str, tmp_path: Path
) -> None:
    with running(tmp_path / "home", engine_url) as stack:
        customer = Caller(url=stack.url).sign_up()
        customer.top_up(1000)
        assert stack.command("backup", "--to", str(tmp_path / "copy")).returncode == 0
        customer.top_up(500)
        too_early = _restore(tmp_path / "copy", stack.home)
        stack.down()

        restored = _restore(tmp_path / "copy", stack.home)
        stack.up()

        assert (too_early.returncode, restored.returncode) == (1, 0), restored.stderr
        assert customer.quota()["available_fen"] == 1000
        assert customer.wait(customer.submit(stack.images[0], "true"))["status"] == "succeeded"
        assert customer.adds_up()


def test_what_is_no_backup_replaces_nothing(tmp_path: Path) -> None:
    store = tmp_path / "home" / "stack" / "store.sqlite3"
    store.parent.mkdir(parents=True)
    store.write_text("money")

    refused = _restore(tmp_path, tmp_path / "home")

    assert refused.returncode == 1
    assert store.read_text() == "money"


def _restore(backup: Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("sh", str(EXAMPLES / "restore.sh"), str(backup), str(home)),
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
