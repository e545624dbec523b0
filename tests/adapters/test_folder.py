"""Files in a folder: what its links allow, who else could forge one, and what is left behind."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.fixtures.edge import HandClock
from tests.fixtures.objects import sha256
from wharfage.adapters.folder import DOOR, FolderObjects, LinkRefused, Permission, WrongBytes

KEY = "uploads/usr_1/upl_1"
DATA = b"some bytes"


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "root", url="http://here", key=b"k" * 32, clock=HandClock())


def opened(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return parts.path, dict(parse_qsl(parts.query))


def permit(objects: FolderObjects, *, size: int = len(DATA)) -> Permission:
    link = objects.put_link(KEY, size_bytes=size, sha256=sha256(DATA), seconds=60)
    path, query = opened(link.url)
    return objects.permission("PUT", path, query)


def parts_of(data: bytes, *, at_most: int = 3):
    """Read as a slow network gives: a little at a time."""
    left = bytearray(data)

    def read(size: int) -> bytes:
        part = bytes(left[: min(size, at_most)])
        del left[: len(part)]
        return part

    return read


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("expires", "99999999999"),
        ("size_bytes", "11"),
        ("sha256", "0" * 64),
        ("name", "other"),
        ("signature", "0" * 64),
        ("signature", ""),
        ("signature", "\u8239"),
        ("expires", "soon"),
    ],
)
def test_a_link_that_was_changed_in_any_part_is_refused(
    objects: FolderObjects, name: str, value: str
):
    link = objects.put_link(KEY, size_bytes=len(DATA), sha256=sha256(DATA), seconds=60)
    path, query = opened(link.url)

    with pytest.raises(LinkRefused):
        objects.permission("PUT", path, query | {name: value})


@pytest.mark.parametrize("name", ["expires", "size_bytes", "sha256", "signature"])
def test_a_link_that_lacks_a_part_is_refused(objects: FolderObjects, name: str):
    link = objects.put_link(KEY, size_bytes=len(DATA), sha256=sha256(DATA), seconds=60)
    path, query = opened(link.url)
    del query[name]

    with pytest.raises(LinkRefused):
        objects.permission("PUT", path, query)


@pytest.mark.parametrize(
    "key",
    [
        "uploads/usr_1/upl_2",
        "uploads/usr_1/../usr_2/upl_1",
        "../../etc/passwd",
        "uploads/usr_1/upl_1/",
        "/etc/passwd",
    ],
)
def test_a_link_is_good_for_its_key_only(objects: FolderObjects, key: str):
    link = objects.get_link(KEY, name="a", seconds=60)
    _, query = opened(link.url)

    with pytest.raises(LinkRefused):
        objects.permission("GET", DOOR + key, query)


def test_a_link_of_another_installation_is_refused(objects: FolderObjects, tmp_path: Path):
    other = FolderObjects(tmp_path, url="http://here", key=b"o" * 32, clock=HandClock())
    path, query = opened(other.get_link(KEY, name="a", seconds=60).url)

    with pytest.raises(LinkRefused):
        objects.permission("GET", path, query)


def test_what_is_signed_cannot_be_split_another_way():
    def signed(key: str, name: str) -> bytes:
        return Permission(method="GET", key=key, expires=1, name=name).signed

    assert signed("a", "b\nc") != signed("a\nb", "c")
    assert signed("a", "0\n0") != signed("a\n0", "0")


@pytest.mark.parametrize(
    "key", ["", "uploads", "uploads/", "uploads/..", "uploads/a/../b", "/uploads/a", "other/a",
            "uploads/A", "uploads/a\n", "uploads//a"],
)  # fmt: skip
def test_a_key_that_is_not_made_of_our_ids_is_our_own_mistake(objects: FolderObjects, key: str):
    with pytest.raises(AssertionError):
        objects.head(key)


def test_bytes_arrive_a_little_at_a_time_and_are_kept_whole(objects: FolderObjects, tmp_path: Path):
    objects.take(permit(objects), parts_of(DATA))

    assert files(tmp_path / "root") == [f"{KEY}/{sha256(DATA)}"]


@pytest.mark.parametrize("sent", [DATA[:-1], DATA + b"!", b"x" * len(DATA), b""])
def test_other_bytes_are_refused_and_nothing_of_them_stays(
    objects: FolderObjects, tmp_path: Path, sent: bytes
):
    with pytest.raises(WrongBytes):
        objects.take(permit(objects), parts_of(sent))

    assert files(tmp_path / "root") == []


def test_a_sender_that_breaks_off_leaves_what_was_there(objects: FolderObjects, tmp_path: Path):
    objects.take(permit(objects), parts_of(DATA))

    def read(_: int) -> bytes:
        raise OSError("connection reset")

    with pytest.raises(OSError, match="reset"):
        objects.take(permit(objects), read)

    assert files(tmp_path / "root") == [f"{KEY}/{sha256(DATA)}"]


def test_what_is_old_is_removed_by_its_part_and_what_never_arrived_as_well(
    objects: FolderObjects, tmp_path: Path
):
    objects.take(permit(objects), parts_of(DATA))
    draft = tmp_path / "root" / ".arriving" / "draft"
    draft.write_bytes(b"half")
    now = objects._clock.now()

    def age(path: Path, days: float) -> None:
        moment = (now - timedelta(days=days)).timestamp()
        os.utime(path, (moment, moment))

    kept = tmp_path / "root" / KEY / sha256(DATA)
    age(draft, 0.01)
    age(kept, 1.9)
    young = objects.expire({"uploads": 2})
    age(draft, 0.05)
    age(kept, 2.1)
    old = objects.expire({"uploads": 2})

    assert (young, old) == (0, 2)
    assert files(tmp_path / "root") == []
