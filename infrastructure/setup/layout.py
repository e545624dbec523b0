"""Where set-up keeps things: everything it makes lies inside the checkout."""

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
VAR = ROOT / "var"
CACHE = VAR / "cache"
TOOLS = VAR / "tools"
ENVIRONMENTS = VAR / "envs"
REQUIREMENTS = ROOT / "requirements"


def shown(path: Path) -> str:
    """Give *path* as a reader at the root of the checkout would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def child_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give the environment for child processes: this one, with caches and tools in the checkout.

    Package index settings stay as they are: pip reads them by itself.
    """
    child = {key: value for key, value in environ.items() if key not in _LEAKS}
    child.setdefault("PIP_CACHE_DIR", str(CACHE / "pip"))
    child.setdefault("UV_CACHE_DIR", str(CACHE / "uv"))
    child["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    child["PIP_USER"] = "0"  # `user = true` in a pip.conf would refuse to install into a venv.
    child["HYPOTHESIS_STORAGE_DIRECTORY"] = str(CACHE / "hypothesis")
    child["PATH"] = os.pathsep.join([str(VENV / "bin"), environ.get("PATH", os.defpath)])
    return child


#: Variables that would make a child import other code than its environment holds.
_LEAKS = frozenset({"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"})
