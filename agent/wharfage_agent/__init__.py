"""The program on a Docker host: it takes work, runs it as containers, and says how it went."""

from typing import Final

VERSION: Final = "0.1.0"
