"""The import rules bite: each contract of pyproject.toml is broken by one bad import."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = ROOT / "pyproject.toml"
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]["contracts"]
}

#: A house with every room and no furniture.
MODULES = (
    "infrastructure.local.engine",
    "infrastructure.setup.commands",
    "wharfage.adapters.alipay",
    "wharfage.adapters.dynamo.tables",
    "wharfage.adapters.sqs",
    "wharfage.domain.job",
    "wharfage.items",
    "wharfage.messages",
    "wharfage.operations.jobs",
    "wharfage.ports",
    "wharfage.schema",
    "wharfage.settings",
    "wharfage.transaction",
    "wharfage.web",
    "wharfage.wiring",
    "wharfage_agent.engine",
    "wharfage_agent.inbox",
    "wharfage_client.cli",
)

#: What breaks each contract: a module, and the line that it must not have.
OFFENCES = [
    ("layers", "wharfage.domain.job", "from wharfage import messages"),
    ("layers", "wharfage.messages", "from wharfage import transaction"),
    ("layers", "wharfage.transaction", "from wharfage import schema"),
    ("layers", "wharfage.schema", "from wharfage import items"),
    ("layers", "wharfage.items", "from wharfage import ports"),
    ("layers", "wharfage.ports", "from wharfage import settings"),
    ("layers", "wharfage.operations.jobs", "from wharfage.adapters import sqs"),
    ("layers", "wharfage.adapters.sqs", "from wharfage.operations import jobs"),
    ("layers", "wharfage.wiring", "from wharfage import web"),
    ("layers", "wharfage.web", "import wharfage_agent.engine"),
    ("layers", "wharfage_client.cli", "import infrastructure.local.engine"),
    ("agent", "wharfage_agent.engine", "from wharfage import ports"),
    ("agent", "wharfage_agent.engine", "from wharfage import transaction"),
    ("client", "wharfage_client.cli", "from wharfage.domain import job"),
    ("client", "wharfage_client.cli", "import boto3"),
    ("setup", "infrastructure.setup.commands", "import infrastructure.local.engine"),
    ("owner-web", "wharfage.wiring", "import chalice"),
    ("owner-web", "wharfage.operations.jobs", "import aws_lambda_powertools"),
    ("owner-dynamo", "wharfage.adapters.sqs", "import pynamodb"),
    ("owner-alipay", "wharfage.operations.jobs", "import alipay"),
    ("owner-docker", "wharfage_agent.inbox", "import docker"),
    ("owner-boto3", "wharfage_agent.engine", "import boto3"),
    ("owner-boto3", "wharfage.web", "import botocore"),
]

#: What each owner may have.
RIGHTS = {
    "infrastructure.local.engine": "import boto3, docker\nimport infrastructure.setup",
    "wharfage.adapters.alipay": "import alipay",
    "wharfage.adapters.dynamo.tables": "import pynamodb, botocore",
    "wharfage.adapters.sqs": "import boto3",
    "wharfage.web": "import chalice, aws_lambda_powertools",
    "wharfage_agent.engine": "import docker\nfrom wharfage import messages",
    "wharfage_agent.inbox": "import boto3",
}


def test_every_contract_has_an_offence_that_proves_it():
    assert {contract for contract, _, _ in OFFENCES} == set(CONTRACTS)


def test_a_house_in_which_every_owner_uses_its_own_passes(tmp_path: Path):
    build(tmp_path, RIGHTS)

    finished = lint(tmp_path)

    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize(("contract", "module", "line"), OFFENCES)
def test_a_bad_import_breaks_its_contract(contract: str, module: str, line: str, tmp_path: Path):
    build(tmp_path, {module: line})

    finished = lint(tmp_path, "--contract", contract)

    assert finished.returncode == 1
    assert f"{CONTRACTS[contract]['name']} BROKEN" in finished.stdout


def build(house: Path, contents: dict[str, str]) -> None:
    for module in MODULES:
        path = house.joinpath(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents.get(module, "") + "\n")
        for package in path.parents[: len(module.split(".")) - 1]:
            (package / "__init__.py").touch()


def lint(house: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--config", PYPROJECT, "--no-logo", "--no-cache", *arguments],
        capture_output=True,
        check=False,
        cwd=house,
        # Wide, so that no line is folded; from the house, so that ours is not what is linted.
        env={**os.environ, "PYTHONPATH": str(house), "COLUMNS": "200"},
        text=True,
    )
