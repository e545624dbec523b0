"""The places of a stack: apart for two homes, private, and short enough for a socket."""

import stat
from pathlib import Path

import pytest

from infrastructure.local.paths import Paths, UnsafeFolder, made


def test_two_homes_share_no_place(tmp_path):
    one = Paths.of({"WHARFAGE_HOME": str(tmp_path / "one")})
    two = Paths.of({"WHARFAGE_HOME": str(tmp_path / "two")})

    assert one.stack != two.stack
    assert one.engine != two.engine
    assert one.runtime != two.runtime


def test_the_default_home_is_in_the_checkout():
    checkout = Path(__file__).resolve().parents[2]

    assert Paths.of({}).home == checkout / "var"


def test_a_deep_home_still_has_short_sockets(tmp_path):
    deep = tmp_path.joinpath(*(["a-rather-long-folder-name"] * 8))

    paths = Paths.of({"WHARFAGE_HOME": str(deep)})

    assert len(str(paths.socket("docker"))) < 108


def test_a_socket_path_that_no_kernel_binds_is_refused(tmp_path):
    paths = Paths(home=tmp_path, runtime=tmp_path / ("x" * 120))

    with pytest.raises(ValueError, match="longer than 107 bytes"):
        paths.socket("docker")


def test_a_made_folder_is_closed_to_others(tmp_path):
    folder = made(tmp_path / "deep" / "folder")

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_others_can_write_into_is_refused(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)

    with pytest.raises(UnsafeFolder):
        made(folder)


def test_a_link_in_place_of_a_folder_is_refused(tmp_path):
    made(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UnsafeFolder):
        made(tmp_path / "link")
