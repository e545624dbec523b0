"""The Python environments of the project, each stamped with the hash of what it was made from."""

import fcntl
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infrastructure.setup import uv
from infrastructure.setup.console import Stop, timed, typed
from infrastructure.setup.index import uv_environment
from infrastructure.setup.layout import (
    ENVIRONMENTS,
    REQUIREMENTS,
    ROOT,
    VAR,
    VENV,
    child_environment,
    shown,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """One virtual environment: where it lies and the locks it is made from, in order."""

    path: Path
    locks: tuple[Path, ...]
    #: Whether the project itself is installed into it, editable.
    project: bool = False

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.path / "made-from"

    @property
    def packages(self) -> int:
        """The number of packages in the last lock, which holds those of the others."""
        return len(re.findall(r"^[a-zA-Z0-9]", self.locks[-1].read_text(), re.MULTILINE))

    def made_from(self) -> str:
        """Hash what it is made from: the locks, this Python, its own place, the project's data."""
        sources = [*self.locks, *([ROOT / "pyproject.toml"] if self.project else [])]
        digest = hashlib.sha256(f"{self.path}\0{sys.version}\0".encode())
        for source in sources:
            digest.update(hashlib.sha256(source.read_bytes()).digest())
        return digest.hexdigest()

    def ready(self) -> bool:
        """Tell whether it stands as its locks say."""
        return (
            self.python.exists()
            and self.stamp.exists()
            and self.stamp.read_text() == self.made_from()
        )


#: The build tools come first, so that a source package is built by hash-checked ones.
MAIN = Environment(
    path=VENV, locks=(REQUIREMENTS / "build.lock", ROOT / "requirements.lock"), project=True
)
EMULATORS = Environment(path=ENVIRONMENTS / "emulators", locks=(REQUIREMENTS / "emulators.lock",))
SAM = Environment(path=ENVIRONMENTS / "sam", locks=(REQUIREMENTS / "sam.lock",))


def make(environment: Environment) -> None:
    """Make *environment* anew from its locks; the stamp comes last, so a half-made one is redone.

    Raises: Stop, when a step of it fails.
    """
    installer = _installer()
    what = f"{shown(environment.path)}: {environment.packages} packages, by {installer.name}"
    with _alone(), timed(what):
        if environment.ready():  # Another `./dev` was faster.
            return
        if environment.path.exists():
            shutil.rmtree(environment.path)
        environment.path.parent.mkdir(parents=True, exist_ok=True)
        _run([*installer.venv, str(environment.path)], installer.environ)
        # A lock is complete: with --no-deps nothing comes that it does not name.
        install = [*installer.install(environment), "--quiet", "--no-deps"]
        for lock in environment.locks:
            locked = ["--require-hashes", "--requirement", str(lock)]
            isolation = ["--no-build-isolation"] if environment.project else []
            _run([*install, *isolation, *locked], installer.environ)
        if environment.project:
            itself = ["--no-build-isolation", "--editable", str(ROOT)]
            _run([*install, *itself], installer.environ)
        environment.stamp.write_text(environment.made_from())


@dataclass(frozen=True, kw_only=True, slots=True)
class Installer:
    """The commands that make an environment and fill it: uv's or pip's."""

    name: str
    venv: tuple[str, ...]
    environ: Mapping[str, str]
    uv: Path | None = None

    def install(self, environment: Environment) -> list[str]:
        """Give the command that installs into *environment*."""
        if self.uv is None:
            return [str(environment.python), "-m", "pip", "install"]
        return [str(self.uv), "pip", "install", "--python", str(environment.python)]


def _installer() -> Installer:
    """Choose: uv if found, else venv and pip, else uv fetched."""
    program = uv.found()
    if program is None and importlib.util.find_spec("ensurepip") is not None:
        venv = (sys.executable, "-m", "venv")
        return Installer(name="venv and pip", venv=venv, environ=child_environment())
    program = program or uv.fetch()
    command = (str(program), "venv", "--quiet", "--no-project", "--python", sys.executable)
    environ = uv_environment(child_environment())
    return Installer(name="uv", venv=command, environ=environ, uv=program)


def _run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    finished = subprocess.run(command, check=False, cwd=ROOT, env=dict(environ))
    if finished.returncode != 0:
        raise Stop(f"This failed with exit code {finished.returncode}:\n  {typed(command)}")


@contextmanager
def _alone() -> Iterator[None]:
    """Let one `./dev` at a time make environments."""
    VAR.mkdir(exist_ok=True)
    with (VAR / "setup.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
