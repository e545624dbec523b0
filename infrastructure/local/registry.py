"""A Docker registry on a loopback port, so that pulls by digest are real pulls.

It is Debian's `docker-registry` (Distribution 2.8) with its own folder. An engine treats loopback
registries as insecure ones, so plain HTTP does; the name to pull from is `localhost:<port>`.
"""

import http.client
import json
import secrets
import shutil
from pathlib import Path
from typing import Any

from infrastructure.local.paths import Paths, made
from infrastructure.local.ports import LOOPBACK
from infrastructure.local.process import Command, environment

_PROBE_SECONDS = 1


class RegistryMissing(Exception):
    """The registry's program is not installed; the message says what to type."""


def registry(paths: Paths, *, port: int) -> Command:
    """Make the command that runs the registry on *port*.

    Raises: RegistryMissing.
    """
    program = shutil.which("docker-registry")
    if program is None:
        raise RegistryMissing(
            "The local registry is not installed. On Debian or Ubuntu:\n"
            "    apt-get install --no-install-recommends docker-registry"
        )
    configuration = paths.registry / "config.json"

    def before_start() -> None:
        made(paths.registry)
        configuration.write_text(json.dumps(_configuration(paths.registry, port), indent=2))

    return Command(
        name="registry",
        argv=(program, "serve", str(configuration)),
        env=environment(),
        ready=lambda: answers(port, "/v2/"),
        before_start=before_start,
        grace_seconds=5,
    )


def name(port: int) -> str:
    """Name the registry as image references do."""
    return f"localhost:{port}"


def answers(port: int, path: str) -> bool:
    """Whether a GET of *path* on a loopback port answers 200 within a second."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _configuration(folder: Path, port: int) -> dict[str, Any]:
    # Its format is YAML, of which JSON is a part.
    return {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "storage")},
            "delete": {"enabled": True},
        },
        # The secret signs unfinished uploads; one a start is enough for one registry.
        "http": {"addr": f"{LOOPBACK}:{port}", "secret": secrets.token_hex(32)},
    }
