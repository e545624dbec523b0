"""An environment is what its locks say, or it is made anew."""

import base64
import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from infrastructure.setup import environments
from infrastructure.setup.console import Stop
from infrastructure.setup.environments import Environment


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make an index of one tiny package, the only one there is; give the package's hash."""
    page = tmp_path / "simple" / "tiny" / "index.html"
    page.parent.mkdir(parents=True)
    wheel = page.with_name("tiny-1.0-py3-none-any.whl")
    files = {
        "tiny.py": "",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
    }
    record = [f"{name},sha256={_record_hash(text)},{len(text)}\n" for name, text in files.items()]
    files["tiny-1.0.dist-info/RECORD"] = "".join([*record, "tiny-1.0.dist-info/RECORD,,\n"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    page.write_text(f'<!DOCTYPE html><html><body><a href="{wheel.name}">tiny</a></body></html>')
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture
def environment(tmp_path: Path, index: str) -> Environment:
    lock = tmp_path / "tiny.lock"
    lock.write_text(f"tiny==1.0 \\\n    --hash=sha256:{index}\n")
    return Environment(path=tmp_path / "made" / "env", locks=(lock,))


def _record_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_an_environment_holds_what_its_lock_names(environment: Environment):
    environments.make(environment)

    assert environment.ready()
    assert subprocess.run([environment.python, "-c", "import tiny"], check=False).returncode == 0


def test_a_changed_lock_calls_for_the_environment_anew(environment: Environment):
    environments.make(environment)
    left_over = environment.path / "left-over"
    left_over.touch()

    lock = environment.locks[0]
    lock.write_text(lock.read_text() + "# changed\n")
    ready_before = environment.ready()
    environments.make(environment)

    assert not ready_before
    assert environment.ready()
    assert not left_over.exists()


def test_a_file_with_another_hash_is_not_installed(environment: Environment):
    environment.locks[0].write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")

    with pytest.raises(Stop, match="exit code"):
        environments.make(environment)

    assert not environment.ready()


def test_an_environment_whose_making_was_interrupted_is_not_ready(environment: Environment):
    environments.make(environment)

    environment.stamp.unlink()

    assert not environment.ready()


def test_the_number_of_packages_is_that_of_the_lock(environment: Environment):
    assert environment.packages == 1
