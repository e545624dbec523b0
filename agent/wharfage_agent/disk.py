"""How much disk an attempt's volume takes."""

import os
from pathlib import Path

BLOCK_BYTES = 512
MEBIBYTE = 1024 * 1024


def used_mb(volume: Path) -> int | None:
    """Return what the files under *volume* take, rounded up; None where it cannot be seen.

    A container writes there meanwhile: what vanishes is not counted, and no link is followed.
    """
    if not volume.is_dir():
        return None
    total = 0
    for folder, _, names in os.walk(volume, followlinks=False):
        for name in names:
            try:
                total += (Path(folder) / name).lstat().st_blocks * BLOCK_BYTES
            except OSError:
                continue
    return -(-total // MEBIBYTE)
