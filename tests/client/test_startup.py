"""What the command imports: `--help` and `--version` must be quick, and the client stands alone."""

import json
import subprocess
import sys
import tomllib

import pytest

from tests.client.conftest import ROOT
from wharfage_client import __version__
from wharfage_client.cli import SECTIONS, wharfage

HEAVY = {
    "asyncio", "email", "http", "platformdirs", "pydantic", "requests", "rich", "segno", "ssl",
    "tomllib", "urllib.request",
}  # fmt: skip
FOREIGN = {"boto3", "botocore", "chalice", "docker", "msgspec", "pydantic", "requests", "wharfage"}

LOOK = """
import json, sys
from wharfage_client.cli import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def imported(environ: dict[str, str], *arguments: str) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *arguments], env=environ, capture_output=True, check=True
    )
    code, names = json.loads(done.stderr.splitlines()[-1])
    return code, set(names)


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(environ: dict[str, str], argument: str):
    code, names = imported(environ, argument)

    assert code == 0
    assert names & HEAVY == set()


def test_a_command_imports_neither_tables_nor_anything_of_the_servers(
    environ: dict[str, str], signed_in: object
):
    code, names = imported(environ, "quota")

    assert code == 0
    assert names & ({"rich", "segno"} | FOREIGN) == set()


def test_every_command_loads_and_has_its_options(environ: dict[str, str]):
    context = wharfage.make_context("wharfage", ["quota"], resilient_parsing=True)

    for section in SECTIONS.values():
        for name in section:
            command = wharfage.get_command(context, name)
            assert command is not None, name
            assert command.name == name
            assert command.help, name
            options = {option for each in command.params for option in each.opts}
            assert {"--json", "--url", "--profile"} <= options, name


def test_the_version_is_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert project["project"]["version"] == __version__
