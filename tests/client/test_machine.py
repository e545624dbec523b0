"""Doctor, completion, up, open: what has to do with this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.client.conftest import ROOT, Run
from tests.client.playing import Api

pytestmark = pytest.mark.usefixtures("signed_in")


def test_doctor_finds_nothing_wrong_where_nothing_is(run: Run):
    result = run("doctor", "--json")

    assert result.code == 0
    assert {each["name"]: each["good"] for each in result.json["checks"]} == {
        "url": True, "file": True, "reach": True, "clock": True, "account": True,
    }  # fmt: skip


def test_doctor_says_what_is_wrong(run: Run):
    result = run("doctor", "--json", WHARFAGE_URL="http://127.0.0.1:1", WHARFAGE_TOKEN="")

    assert result.code == 1
    bad = [each["name"] for each in result.json["checks"] if each["good"] is False]
    assert bad == ["reach", "account"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_written_for_each_shell(run: Run, shell: str):
    result = run("completion", shell)

    assert result.code == 0
    assert b"_WHARFAGE_COMPLETE" in result.out


def test_completion_knows_commands_and_options(run: Run):
    commands = run(_WHARFAGE_COMPLETE="bash_complete", COMP_WORDS="wharfage to", COMP_CWORD="1")
    options = run(
        _WHARFAGE_COMPLETE="bash_complete", COMP_WORDS="wharfage run --ti", COMP_CWORD="2"
    )

    assert commands.out.split() == [b"plain,topup"]
    assert options.out.split() == [b"plain,--timeout"]


def test_up_in_a_checkout_is_handed_on_to_its_own_script(run: Run, tmp_path: Path):
    (tmp_path / "dev").write_text("import sys; print(sys.argv[1:]); sys.exit(9)")
    (tmp_path / "infrastructure" / "setup").mkdir(parents=True)

    result = run("up", "--json", "--store", "dynamodb")

    assert result.code == 9
    assert result.json["exit_code"] == 9
    assert b"['up', '--store', 'dynamodb']" in result.err


def test_up_where_no_stack_is_says_what_to_do(environ: dict[str, str], tmp_path: Path):
    # Without site no .pth file of the tester's environment puts the checkout on the path.
    packages = Path(click.__file__).parents[1]
    path = os.pathsep.join(map(str, (ROOT / "client", packages)))

    done = subprocess.run(
        [sys.executable, "-S", "-m", "wharfage_client.cli", "up", "--json"],
        env=environ | {"PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 1
    assert json.loads(done.stderr)["error"]["code"] == "no_checkout"


def test_open_prints_the_address(api: Api, run: Run):
    assert run("open").out.decode() == f"{api.url}/\n"
