"""The lock of the vendor layer: the packages it names, as the project's lock pins them."""

import re
from collections.abc import Iterator, Mapping

from infrastructure.setup.layout import ROOT

FOLDER = ROOT / "layers" / "vendor"
SOURCE = FOLDER / "requirements.in"
LOCK = FOLDER / "requirements.lock"


def write_lock() -> None:
    """Write the layer's lock anew from the project's. Raises: KeyError for what that lacks."""
    LOCK.write_text(lock(SOURCE.read_text(), (ROOT / "requirements.lock").read_text()))


def lock(names: str, project_lock: str) -> str:
    """Give the pins of *names*, one a line, with their hashes; the layer is for one platform."""
    pins = dict(_pins(project_lock))
    return "".join(_pin(normal(name), pins) for name in sorted(names.split(), key=normal))


def normal(name: str) -> str:
    """Give a package's name as locks write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _pins(text: str) -> Iterator[tuple[str, tuple[str, list[str]]]]:
    """Yield each pin of a lock: its name, then version and hashes."""
    for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        name, version = re.findall(r"^([\w.-]+)==([^\s;]+)", block)[0]
        yield normal(name), (version, re.findall(r"--hash=\S+", block))


def _pin(name: str, pins: Mapping[str, tuple[str, list[str]]]) -> str:
    version, hashes = pins[name]
    return " \\\n    ".join([f"{name}=={version}", *hashes]) + "\n"
