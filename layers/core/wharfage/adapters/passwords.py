"""Passwords: argon2id with OWASP's parameters, over NFC, so that every keyboard types the same."""

import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

#: OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, two passes, one lane.
_MEMORY_KIB = 19 * 1024
_PASSES = 2
_LANES = 1


class Argon2Passwords:
    """`ports.Passwords` over argon2-cffi, imported when a password first comes."""

    def hash(self, password: str) -> str:
        """Hash a password with a salt of its own; about 20 ms."""
        return self._hasher.hash(_normal(password))

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether it fits; with no hash, verify against one of nothing and say no."""
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            self._hasher.verify(password_hash or self._nobody, _normal(password))
        except (VerificationError, InvalidHashError):
            return False
        return bool(password_hash)

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher, Type

        return PasswordHasher(
            time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES, type=Type.ID
        )

    @cached_property
    def _nobody(self) -> str:
        """A hash that no password fits, as slow to verify as any."""
        # Made with the first sign-in and not at import, because nothing random is made there.
        return self._hasher.hash(unicodedata.normalize("NFC", "\0nobody"))


def _normal(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode("utf-8", errors="surrogatepass")
