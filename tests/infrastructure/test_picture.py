"""The picture of the story is a PNG that says what it is."""

import zlib

import pytest

from infrastructure.local.picture import HEIGHT, WIDTH, Picture, harbour


def test_the_picture_is_the_same_each_time_small_and_in_colour():
    data = harbour()

    assert data == harbour()
    assert len(data) < 4096
    assert Picture.read(data) == Picture(WIDTH, HEIGHT, grey=False)


def test_the_picture_has_a_line_for_each_row():
    data = harbour()
    begins = data.index(b"IDAT") + 4
    rows = zlib.decompressobj().decompress(data[begins:])

    assert len(rows) == HEIGHT * (1 + 3 * WIDTH)


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(40), b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_is_said_to_be_none(data: bytes):
    with pytest.raises(ValueError, match="not a PNG"):
        Picture.read(data)
