"""A small picture of our own, for the story: written as PNG, and what one says of itself read."""

import struct
import zlib
from dataclasses import dataclass
from typing import Self

WIDTH, HEIGHT = 96, 64
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR = 0, 2


@dataclass(frozen=True, slots=True)
class Picture:
    """What the head of a PNG says."""

    width: int
    height: int
    grey: bool

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read a PNG's head. Raises: ValueError."""
        if not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR":
            raise ValueError("this is not a PNG")
        width, height, _, kind = struct.unpack(">IIBB", data[16:26])
        return cls(width=width, height=height, grey=kind == _GREY)


def harbour() -> bytes:
    """Paint a harbour at dusk: sky, sun, water, a quay, and two containers on it."""
    rows = b"".join(
        b"\0" + b"".join(bytes(_colour(x, y)) for x in range(WIDTH)) for y in range(HEIGHT)
    )
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, _COLOUR, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _colour(x: int, y: int) -> tuple[int, int, int]:
    if 36 <= y < 46 and 14 <= x < 34:
        return 200, 60, 50
    if 36 <= y < 46 and 38 <= x < 58:
        return 40, 110, 180
    if y >= 46:
        return (90, 90, 95) if x < 64 else (30, 60 + y // 2, 90 + (x + y) % 7)
    if (x - 76) ** 2 + (y - 26) ** 2 < 81:
        return 255, 220, 120
    return 120 + 2 * y, 90 + y, 150 - y


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
