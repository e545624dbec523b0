"""Images of real software without a registry: made from the distribution's own packages.

`apt-get` says which packages a program needs on an empty machine and fetches them, checked by its
own keys; they are unpacked into a folder, and `docker import` makes that an image. No package's
scripts are run, and nothing of this machine is changed. The image is labelled with the packages'
versions: the same versions are not made again.
"""

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import docker
import docker.errors

IMAGEMAGICK_IMAGE = "wharfage/imagemagick:latest"

_LABEL = "wharfage.packages"
_PLAN_SECONDS, _FETCH_SECONDS = 60, 300
#: What no program needs to run.
_LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian")
_FOLDERS = {"tmp": 0o1777, "proc": 0o755, "sys": 0o755, "dev": 0o755, "etc": 0o755}


class PackagesMissing(Exception):
    """The packages cannot be had here; the message says why."""


def image(
    client: docker.APIClient,
    packages: Sequence[str],
    *,
    reference: str,
    cache: Path,
    say: Callable[[str], None],
) -> str:
    """Have an image with *packages* in the engine, and give its id; done once a set of versions.

    Raises: PackagesMissing.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise PackagesMissing(f"there is no {program}: this is not Debian or Ubuntu")
    files = _planned(packages, cache)
    digest = hashlib.sha256("\n".join(files).encode()).hexdigest()
    with contextlib.suppress(docker.errors.ImageNotFound):
        found = client.inspect_image(reference)
        if ((found["Config"] or {}).get("Labels") or {}).get(_LABEL) == digest:
            return str(found["Id"])
    say(f"Making {reference} from {len(files)} Debian packages (once; kept in {cache}) ...")
    _apt(packages, cache, "--download-only", "--yes", seconds=_FETCH_SECONDS)
    repository, _, tag = reference.rpartition(":")
    with tempfile.TemporaryFile(dir=cache) as archive:
        _pack([cache / "archives" / name for name in files], archive, cache)
        archive.seek(0)
        client.import_image_from_data(
            archive,
            repository=repository,
            tag=tag,
            changes=['ENV PATH="/usr/bin:/bin"', f'LABEL "{_LABEL}"="{digest}"'],
        )
    return str(client.inspect_image(reference)["Id"])


def _planned(packages: Sequence[str], cache: Path) -> list[str]:
    """Name the files of all packages that are needed where nothing is. Raises: PackagesMissing."""
    lines = _apt(packages, cache, "--print-uris", seconds=_PLAN_SECONDS).splitlines()
    # Each line is an address in quotes, the file's name, its size, and perhaps a hash.
    return sorted(line.split()[1] for line in lines if line.startswith("'"))


def _apt(packages: Sequence[str], cache: Path, *how: str, seconds: int) -> str:
    """Ask apt as if nothing were installed, with a cache of our own."""
    (cache / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    status = cache / "status"
    status.touch()
    options = {
        "Dir::State::status": status,
        "Dir::Cache::archives": cache / "archives",
        "Debug::NoLocking": "1",
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "",  # The folder is ours alone.
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    # What is in the cache already would otherwise be left out of the plan.
    words += ["-o", "Dir::Cache::archives=/nonexistent"] if "--print-uris" in how else []
    try:
        ran = subprocess.run(
            ["apt-get", "-qq", *words, *how, "install", *packages],
            capture_output=True,
            check=False,
            text=True,
            timeout=seconds,
            env=os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        )
    except subprocess.TimeoutExpired:
        raise PackagesMissing(f"apt-get did not end within {seconds} s") from None
    if ran.returncode != 0:
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise PackagesMissing(f"apt-get: {last}")
    return ran.stdout


def _pack(packages: Sequence[Path], archive: io.IOBase, cache: Path) -> None:
    """Unpack packages over each other, and pack what came of it, all of it root's."""
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        root = Path(folder)
        for package in packages:
            subprocess.run(["dpkg-deb", "-x", package, root], check=True, capture_output=True)
        for name, mode in _FOLDERS.items():
            (root / name).mkdir(exist_ok=True)
            (root / name).chmod(mode)
        with tarfile.open(fileobj=archive, mode="w") as packed:
            packed.add(root, arcname=".", filter=_kept)


def _kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if entry.name.removeprefix("./").startswith(_LEFT_OUT):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
