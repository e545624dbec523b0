"""The locks: they pin what pyproject.toml asks for, by hash, and name no package index."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
LOCKS = [LOCK, *sorted((ROOT / "requirements").glob("*.lock"))]
SOURCES = sorted((ROOT / "requirements").glob("*.in"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def asked_for() -> list[Requirement]:
    project = PROJECT["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lines = [line for lines in [*lists, *PROJECT["dependency-groups"].values()] for line in lines]
    requirements = [Requirement(line) for line in lines]
    return [each for each in requirements if each.name != project["name"]]


@pytest.mark.parametrize("requirement", asked_for(), ids=str)
def test_the_lock_pins_what_the_project_asks_for(requirement: Requirement):
    pinned = pins(LOCK)[canonicalize_name(requirement.name)]

    assert requirement.specifier.contains(pinned)


def test_both_locks_of_the_project_pin_the_same_versions():
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    resolved = {each["name"]: each["version"] for each in packages}

    assert pins(LOCK)
    assert pins(LOCK).items() <= resolved.items()


def test_the_build_tools_are_those_of_the_whole_lock():
    build = pins(ROOT / "requirements" / "build.lock")

    assert {"hatchling", "setuptools"} <= set(build)
    assert build.items() <= pins(LOCK).items()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_of_a_lock_has_a_hash(lock: Path):
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]

    assert blocks
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_that_is_installed_from_names_an_index(lock: Path):
    assert re.findall(r"\w+://\S+|--\S*index\S*", lock.read_text()) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_every_environment_of_its_own_is_locked(source: Path):
    wanted = [Requirement(line) for line in source.read_text().splitlines()]

    pinned = pins(source.with_suffix(".lock"))

    assert all(each.specifier.contains(pinned[canonicalize_name(each.name)]) for each in wanted)
