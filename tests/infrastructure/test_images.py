"""The demo image's archive: the same every time, and made of a static busybox only."""

import io
import tarfile

import pytest

from infrastructure.local import images
from infrastructure.local.images import BusyboxMissing, Pushed


@pytest.mark.live
def test_the_archive_is_the_same_every_time():
    busybox = images._busybox()

    assert images._archive(busybox) == images._archive(busybox)


@pytest.mark.live
def test_the_archive_holds_a_shell_a_user_and_a_place_to_write():
    with tarfile.open(fileobj=io.BytesIO(images._archive(images._busybox()))) as archive:
        shell, tmp = archive.getmember("bin/sh"), archive.getmember("tmp")
        passwd = archive.extractfile("etc/passwd")
        assert passwd is not None
        users = passwd.read().decode()

    assert (shell.issym(), shell.linkname) == (True, "busybox")
    assert tmp.mode == 0o1777
    assert "nobody:x:65534:" in users


def test_a_busybox_that_needs_libraries_is_refused(tmp_path, monkeypatch):
    dynamic = tmp_path / "busybox"
    dynamic.write_bytes(b"\x7fELF ... /lib64/ld-linux-x86-64.so.2 ...")
    dynamic.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BusyboxMissing, match="apt-get install"):
        images._busybox()


def test_a_pinned_reference_names_the_digest_and_no_tag():
    pushed = Pushed(reference="localhost:5000/demo/hello:1", digest="sha256:abc")

    assert pushed.pinned == "localhost:5000/demo/hello@sha256:abc"
