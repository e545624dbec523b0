"""Images from packages: what is said where there are none, and what goes into the archive."""

import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import docker
import pytest

from infrastructure.local import packaged
from infrastructure.local.packaged import PackagesMissing


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("the engine was asked")


class Deaf:
    """An engine that is not to be asked."""

    inspect_image = import_image_from_data = never


def make(cache: Path, client: Any = None) -> str:
    return packaged.image(
        client or Deaf(), ("hello",), reference="wharfage/hello:latest", cache=cache, say=print
    )


def test_where_there_is_no_apt_it_is_said_and_nothing_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(PackagesMissing, match="not Debian or Ubuntu"):
        make(tmp_path)


def test_what_apt_complains_of_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def failing(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 100, "", "E: x\nE: Unable to locate package\n")

    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", failing)

    with pytest.raises(PackagesMissing, match="apt-get: E: Unable to locate package"):
        make(tmp_path)


def test_the_same_versions_are_not_fetched_or_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[Any] = []
    labels: dict[str, str] = {}

    def planning(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(words)
        text = "'http://deb/hello_1.deb' hello_1.deb 5 SHA256:00\nnot a line\n"
        return subprocess.CompletedProcess(words, 0, text, "")

    class Engine:
        def inspect_image(self, _: str) -> dict[str, Any]:
            if not labels:
                raise docker.errors.ImageNotFound("no such image")
            return {"Id": "sha256:1", "Config": {"Labels": labels}}

        def import_image_from_data(self, *_: Any, changes: list[str], **__: Any) -> None:
            [label] = [each for each in changes if each.startswith("LABEL")]
            key, value = label.removeprefix("LABEL ").replace('"', "").split("=")
            labels[key] = value

    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", planning)

    first = make(tmp_path, Engine())
    fetched = sum("--download-only" in words for words in asked)
    again = make(tmp_path, Engine())

    assert first == again == "sha256:1"
    assert fetched == sum("--download-only" in words for words in asked) == 1


def test_what_is_packed_is_roots_and_without_what_no_program_needs():
    mine = tarfile.TarInfo("./usr/bin/program")
    mine.uid, mine.uname = 1000, "somebody"

    kept = packaged._kept(mine)

    assert kept is not None
    assert (kept.uid, kept.gid, kept.uname) == (0, 0, "")
    assert packaged._kept(tarfile.TarInfo("./usr/share/doc/program/copyright")) is None
