"""Ids that sort by time and that nobody can guess: lower-case ULIDs behind a prefix."""

import secrets
import threading
import time

#: Crockford's alphabet, in lower case: without i, l, o, u, and in the order of ASCII.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_CHARACTERS = 10  #: 48 bits of milliseconds.
_CHANCE_CHARACTERS = 16
_CHANCE_BITS = 5 * _CHANCE_CHARACTERS
_STEP_BITS = 64
_SECRET_CHARACTERS = 52


class RandomIds:
    """`ports.Ids` on the system's time and randomness; what one process makes is in order."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._moment = self._chance = 0

    def new(self, prefix: str) -> str:
        """Return `<prefix>_` and 26 characters: an order's fits Alipay's `^[0-9A-Za-z_]{6,32}$`."""
        with self._guard:
            self._move_on(time.time_ns() // 1_000_000)
            moment, chance = self._moment, self._chance
        return f"{prefix}_{_text(moment, _TIME_CHARACTERS)}{_text(chance, _CHANCE_CHARACTERS)}"

    def secret(self) -> str:
        """Return 52 small letters and digits with 260 random bits: a whole word everywhere.

        A secret is pasted behind options and into addresses, so none begins with a hyphen.
        """
        return _text(secrets.randbits(5 * _SECRET_CHARACTERS), _SECRET_CHARACTERS)

    def _move_on(self, now: int) -> None:
        """Draw anew for a new millisecond; within one, go on by a step that nobody can guess."""
        self._chance += 1 + secrets.randbits(_STEP_BITS)
        if now > self._moment or self._chance >> _CHANCE_BITS:
            self._moment = max(now, self._moment + 1)
            self._chance = secrets.randbits(_CHANCE_BITS)


def _text(number: int, characters: int) -> str:
    shifts = range(5 * (characters - 1), -1, -5)
    return "".join(_ALPHABET[number >> shift & 31] for shift in shifts)
