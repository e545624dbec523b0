"""Images without a registry: a demo image made from the machine's own static busybox.

`docker import` of one program and its links takes 0.15 s and 2 MB. The archive is the same on every
machine with the same busybox, and its hash is a label of the image, so it is made once.
"""

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import docker
import docker.errors

DEMO_IMAGE = "wharfage/demo:latest"

_HASH_LABEL = "wharfage.archive"
_NOBODY = 65_534
_DEMO_COMMAND = "echo Hello from Wharfage. && echo This ran as user $(id -u) on $(uname -m)."
_ELF_TYPE_DYNAMIC_LINKER = b"/lib64/ld-linux"


class BusyboxMissing(Exception):
    """There is no static busybox to build from; the message says what to type."""


class PushFailed(Exception):
    """The engine could not push an image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushed:
    """An image in a registry."""

    #: `localhost:5000/demo/hello:1`
    reference: str
    #: `sha256:...` of the manifest.
    digest: str

    @property
    def pinned(self) -> str:
        """The reference by digest, as the agent pulls it."""
        return f"{self.reference.rpartition(':')[0]}@{self.digest}"


def demo(client: docker.APIClient, *, reference: str = DEMO_IMAGE) -> str:
    """Have the demo image in the engine, and give its id; nothing is done when it is there.

    Raises: BusyboxMissing.
    """
    archive = _archive(_busybox())
    digest = hashlib.sha256(archive).hexdigest()
    with contextlib.suppress(docker.errors.ImageNotFound):
        found = client.inspect_image(reference)
        if ((found["Config"] or {}).get("Labels") or {}).get(_HASH_LABEL) == digest:
            return str(found["Id"])
    repository, _, tag = reference.rpartition(":")
    client.import_image_from_data(
        archive,
        repository=repository,
        tag=tag,
        changes=[
            'ENV PATH="/bin"',
            f'CMD ["/bin/sh", "-c", "{_DEMO_COMMAND}"]',
            f'LABEL "{_HASH_LABEL}"="{digest}"',
        ],
    )
    return str(client.inspect_image(reference)["Id"])


def push(
    client: docker.APIClient, image: str, *, registry: str, repository: str, tag: str
) -> Pushed:
    """Push *image* to a registry without accounts, under *repository* and *tag*.

    Raises: PushFailed.
    """
    name = f"{registry}/{repository}"
    client.tag(image, name, tag)
    digest = None
    # An engine of 20.10 wants the header of an account even where there is none.
    for line in client.push(name, tag, stream=True, decode=True, auth_config={"username": ""}):
        if error := line.get("error"):
            raise PushFailed(f"{name}:{tag}: {error}")
        digest = line.get("aux", {}).get("Digest", digest)
    if digest is None:
        raise PushFailed(f"{name}:{tag}: the engine gave no digest")
    return Pushed(reference=f"{name}:{tag}", digest=digest)


def _busybox() -> Path:
    found = shutil.which("busybox", path=os.pathsep.join((os.environ.get("PATH", ""), "/bin")))
    # One that needs the machine's libraries would not start in an image without them.
    if found is None or _ELF_TYPE_DYNAMIC_LINKER in Path(found).read_bytes():
        raise BusyboxMissing(
            "The demo image is made from a static busybox. On Debian or Ubuntu:\n"
            "    apt-get install --no-install-recommends busybox-static"
        )
    return Path(found)


def _archive(busybox: Path) -> bytes:
    """Pack busybox, a link for each of its programs, and the few files that programs expect."""
    listed = subprocess.run([busybox, "--list"], capture_output=True, check=True, text=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777)):
            _add(archive, folder, mode=mode, kind=tarfile.DIRTYPE)
        _add(archive, "bin/busybox", mode=0o755, content=busybox.read_bytes())
        for program in sorted(set(listed.stdout.split()) - {"busybox"}):
            _add(archive, f"bin/{program}", mode=0o777, kind=tarfile.SYMTYPE, target="busybox")
        users = f"root:x:0:0::/:/bin/sh\nnobody:x:{_NOBODY}:{_NOBODY}::/:/bin/sh\n"
        _add(archive, "etc/passwd", mode=0o644, content=users.encode())
        _add(
            archive, "etc/group", mode=0o644, content=f"root:x:0:\nnogroup:x:{_NOBODY}:\n".encode()
        )
    return packed.getvalue()


def _add(
    archive: tarfile.TarFile,
    name: str,
    *,
    mode: int,
    kind: bytes = tarfile.REGTYPE,
    content: bytes = b"",
    target: str = "",
) -> None:
    # No owner and no time: the same busybox always gives the same archive.
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.size, entry.linkname = mode, kind, len(content), target
    archive.addfile(entry, io.BytesIO(content))
