"""Secrets are stored as digests only."""

from hypothesis import given
from hypothesis import strategies as st

from wharfage.domain.secret import digest, fits

SECRET = "a" * 43


def test_what_is_stored_is_not_the_secret() -> None:
    assert SECRET not in digest(SECRET)
    assert len(digest(SECRET)) == 64


def test_a_secret_fits_its_own_digest_and_no_other() -> None:
    assert fits(SECRET, digest(SECRET))
    assert not fits(SECRET + "a", digest(SECRET))
    assert not fits(SECRET, digest(SECRET).upper())


def test_nothing_fits_where_nothing_is_stored() -> None:
    assert not fits(SECRET, None)
    assert not fits("", None)
    assert not fits("", "")


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_two_secrets_fit_one_digest_only_if_they_are_the_same(one: str, other: str) -> None:
    assert fits(one, digest(other)) is (one == other)
