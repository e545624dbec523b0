"""The layers: the core is our whole package, the vendor layer all that it imports and no more."""

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infrastructure.setup.layout import ROOT
from infrastructure.setup.vendor import LOCK, SOURCE

CORE = ROOT / "layers" / "core"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
#: The bits of a .pyc that say: believe me without looking at the source (PEP 552).
UNCHECKED_HASH = 0b01
#: They come without what they ask for: chalice is cut to one file, and the rest is not ours.
WITHOUT_DEPENDENCIES = {"chalice"}
#: Asked for, and not used where it runs.
UNUSED = {
    "pycparser",  # cffi compiles with it
}

#: Taken if it is there: botocore brings certificates of its own.
OPTIONAL = {"certifi"}
#: What start-up hooks of the development environment import by themselves.
DEVELOPMENT = {"setuptools", "wharfage"}

IMPORT_ALL = """
import importlib, pkgutil, sys
import wharfage
for module in pkgutil.walk_packages(wharfage.__path__, "wharfage."):
    importlib.import_module(module.name)
import boto3
for service in ("dynamodb", "sqs", "ssm", "sts"):
    boto3.client(service, region_name="eu-west-1")
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the core layer."""
    artifacts = tmp_path_factory.mktemp("core")
    environ = os.environ | {"ARTIFACTS_DIR": str(artifacts), "PythonRuntime": RUNTIME}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environ["PATH"]])
    subprocess.run(["make", "-s", "build-CoreLayer"], check=True, cwd=CORE, env=environ)
    return artifacts / "python" / "lib" / RUNTIME / "site-packages"


def names() -> set[str]:
    return {canonicalize_name(name) for name in SOURCE.read_text().split()}


def test_the_core_layer_has_every_file_of_the_package(core: Path):
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "wharfage"],
        capture_output=True, check=True, cwd=CORE, text=True,
    ).stdout.split()  # fmt: skip
    built = {str(path.relative_to(core)) for path in core.rglob("*") if path.is_file()}

    assert {name for name in built if not name.endswith(".pyc")} == {
        name for name in tracked if (CORE / name).exists()
    }


def test_every_module_of_the_core_layer_is_compiled_and_believed_without_a_look(core: Path):
    sources = list(core.rglob("*.py"))

    assert sources
    for source in sources:
        compiled = (
            source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        )
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == UNCHECKED_HASH, source


def test_the_vendor_layer_names_all_that_our_package_imports():
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, check=True, cwd=ROOT, text=True
    )
    owners = metadata.packages_distributions()
    used = {
        canonicalize_name(owner)
        for module in ran.stdout.split()
        for owner in owners.get(module, [])
    }

    assert used - names() - DEVELOPMENT == OPTIONAL


def test_the_vendor_layer_names_all_that_its_packages_ask_for():
    asked = {
        canonicalize_name(requirement.name)
        for name in names() - WITHOUT_DEPENDENCIES
        for requirement in map(Requirement, metadata.requires(name) or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }

    assert asked - names() == UNUSED


def test_no_tool_is_in_the_vendor_layer():
    tools = {"pip", "setuptools", "wheel", "pytest", "moto", "inquirer", "pydantic", "docker"}

    assert names() & tools == set()


def test_the_vendor_layer_is_locked_by_hash():
    blocks = re.split(r"^(?=[a-z])", LOCK.read_text(), flags=re.MULTILINE)[1:]

    assert {block.partition("==")[0] for block in blocks} == names()
    assert all("--hash=sha256:" in block for block in blocks)
