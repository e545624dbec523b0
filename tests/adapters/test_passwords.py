"""Passwords: argon2id as OWASP asks, the same for every way to write a character."""

import time
import unicodedata

import pytest

from wharfage.adapters.passwords import Argon2Passwords

COMPOSED = unicodedata.normalize("NFC", "pässwörd-é-long")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


@pytest.fixture(scope="module")
def passwords() -> Argon2Passwords:
    return Argon2Passwords()


def test_the_hash_has_owasps_parameters(passwords):
    assert passwords.hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_two_hashes_of_one_password_differ(passwords):
    assert passwords.hash("x") != passwords.hash("x")


@pytest.mark.parametrize("password", ["correct horse", "a\0b", "密码密码", "x" * 1024, "\ud800"])
def test_a_password_fits_its_hash_and_no_other(passwords, password):
    made = passwords.hash(password)

    assert passwords.verify(made, password)
    assert not passwords.verify(made, password + " ")


def test_what_follows_a_nul_counts(passwords):
    assert not passwords.verify(passwords.hash("a\0b"), "a\0c")


def test_a_password_fits_however_its_characters_are_composed(passwords):
    assert COMPOSED != DECOMPOSED
    assert passwords.verify(passwords.hash(COMPOSED), DECOMPOSED)


@pytest.mark.parametrize("stored", [None, "", "rubbish", "$argon2id$v=19$m=1,t=1,p=1$x$y"])
def test_without_a_hash_nothing_fits(passwords, stored):
    assert not passwords.verify(stored, "\0nobody")


def test_no_hash_takes_as_long_as_a_wrong_password(passwords):
    made = passwords.hash("x" * 20)
    passwords.verify(None, "warm")

    def fastest(stored: str | None) -> float:
        spans = []
        for _ in range(7):
            started = time.thread_time()
            passwords.verify(stored, "wrong")
            spans.append(time.thread_time() - started)
        return min(spans)

    assert 0.5 < fastest(None) / fastest(made) < 2
