"""The installer `uv`: found on the PATH, or the pinned wheel fetched and checked by its hash."""

import base64
import hashlib
import io
import os
import platform
import re
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from infrastructure.setup.console import Stop, timed
from infrastructure.setup.index import Index, configured
from infrastructure.setup.layout import REQUIREMENTS, TOOLS

PIN = REQUIREMENTS / "uv.lock"
TIMEOUT_SECONDS = 60


def found() -> Path | None:
    """Find the `uv` of this machine, or the one fetched earlier."""
    on_path = shutil.which("uv")
    if on_path:
        return Path(on_path)
    fetched = _place(pinned()[0])
    return fetched if fetched.exists() else None


def pinned(pin: Path = PIN) -> tuple[str, frozenset[str]]:
    """Read the pinned version and the SHA-256 of every file of it."""
    text = pin.read_text()
    version = re.search(r"^uv==(\S+)", text, re.MULTILINE)
    assert version is not None, f"{pin} pins no uv"
    return version[1], frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", text))


def fetch(index: Index | None = None, *, pin: Path = PIN, tools: Path = TOOLS) -> Path:
    """Fetch the pinned wheel from the configured index and unpack its one program into *tools*.

    Raises: Stop, when no index has it or the file is not the pinned one.
    """
    version, hashes = pinned(pin)
    with timed(f"Fetching uv {version} (there is neither uv nor pip here)"):
        wheel = _download(index or configured(), version=version)
        digest = hashlib.sha256(wheel).hexdigest()
        if digest not in hashes:
            raise Stop(f"The uv wheel has SHA-256 {digest}, which {pin.name} does not list.")
        return unpack(wheel, to=_place(version, tools), version=version)


def unpack(wheel: bytes, *, to: Path, version: str) -> Path:
    """Write the program in *wheel* to *to*, whole or not at all."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        program = archive.read(f"uv-{version}.data/scripts/uv")
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.with_suffix(f".{os.getpid()}")
    partial.write_bytes(program)
    partial.chmod(0o755)
    return partial.replace(to)


def fits(file: str, *, version: str) -> bool:
    """Tell whether the wheel named *file* is that version's for this machine."""
    if not (file.startswith(f"uv-{version}-py3-none-") and file.endswith(".whl")):
        return False
    if platform.system() == "Darwin":
        family = "macosx"
    else:
        family = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    tags = file.removesuffix(".whl").split("-")[-1].split(".")
    return any(tag.startswith(family) and tag.endswith(platform.machine()) for tag in tags)


def _place(version: str, tools: Path = TOOLS) -> Path:
    return tools / f"uv-{version}" / "uv"


def _download(index: Index, *, version: str) -> bytes:
    tried = []
    for page in _pages(index):
        try:
            url = next(
                (url for url in _links(page, index) if fits(_file(url), version=version)), None
            )
            if url is not None:
                return _get(url, index)[0]
            tried.append(f"  {_public(page)}: has no uv {version} for {platform.machine()}")
        except (OSError, urllib.error.URLError) as error:
            tried.append(f"  {_public(page)}: {error}")
    raise Stop(
        "Neither uv, nor pip with venv, nor a package index to fetch uv from:\n"
        + "\n".join(tried)
        + "\nInstall python3-venv or uv, or set PIP_INDEX_URL to an index that can be reached."
    )


def _pages(index: Index) -> Iterator[str]:
    for place in index.find_links:
        yield place if "://" in place else Path(place).resolve().as_uri()
    for url in index.urls:
        yield url.rstrip("/") + "/uv/"


def _links(page: str, index: Index) -> list[str]:
    parts = urllib.parse.urlsplit(page)
    folder = Path(urllib.request.url2pathname(parts.path))
    if parts.scheme == "file" and folder.is_dir() and not (folder / "index.html").exists():
        return [file.as_uri() for file in sorted(folder.iterdir())]
    if parts.scheme == "file" and folder.is_dir():
        page = page.rstrip("/") + "/index.html"
    body, base = _get(page, index)
    reader = _Anchors()
    reader.feed(body.decode("utf-8", "replace"))
    return [urllib.parse.urljoin(base, link) for link in reader.links]


def _get(url: str, index: Index) -> tuple[bytes, str]:
    """Read *url*; give its bytes and the address they finally came from."""
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(_public(url))  # noqa: S310 - an index may be a folder.
    if parts.username:
        name = urllib.parse.unquote(parts.username)
        secret = f"{name}:{urllib.parse.unquote(parts.password or '')}"
        token = base64.b64encode(secret.encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    context = ssl.create_default_context(cafile=index.certificates)
    if parts.hostname in index.trusted_hosts:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # As pip's trusted-host says; the hash still decides.
    with urllib.request.urlopen(  # noqa: S310 - as above.
        request, timeout=TIMEOUT_SECONDS, context=context
    ) as response:
        return response.read(), _with_user(response.url, parts)


def _with_user(url: str, asked: urllib.parse.SplitResult) -> str:
    """Carry the user of the page that was asked over to links on the same host."""
    parts = urllib.parse.urlsplit(url)
    if not asked.username or parts.hostname != asked.hostname:
        return url
    return urllib.parse.urlunsplit(parts._replace(netloc=asked.netloc))


def _file(url: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path).rsplit("/", 1)[-1]


def _public(url: str) -> str:
    """Give *url* without a user and password."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class _Anchors(HTMLParser):
    """The links of an index page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]
