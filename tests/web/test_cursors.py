"""Cursors: what was not sealed for this very list is refused."""

import pytest

from wharfage.domain.errors import Invalid
from wharfage.web import cursors

KEY = b"k" * 32


@pytest.mark.parametrize("place", ["", "job_1", "2026-03-01T04:00:00.250Z#é"])
def test_a_cursor_opens_where_it_was_sealed(place):
    sealed = cursors.seal(place, key=KEY, scope="usr_a /v1/jobs")

    assert cursors.unseal(sealed, key=KEY, scope="usr_a /v1/jobs") == place


@pytest.mark.parametrize(
    ("key", "scope"), [(b"x" * 32, "usr_a /v1/jobs"), (KEY, "usr_b /v1/jobs"), (KEY, "usr_a /v1/x")]
)
def test_a_cursor_of_another_list_account_or_stage_is_refused(key, scope):
    sealed = cursors.seal("job_1", key=KEY, scope="usr_a /v1/jobs")

    with pytest.raises(Invalid):
        cursors.unseal(sealed, key=key, scope=scope)


def test_every_edit_of_a_cursor_is_refused():
    sealed = cursors.seal("job_1", key=KEY, scope="s")

    for place in range(len(sealed)):
        edited = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        with pytest.raises(Invalid):
            cursors.unseal(edited, key=KEY, scope="s")


@pytest.mark.parametrize("cursor", ["", "!", "é", "AAAA", "a" * 5000, "AAAAA"])
def test_what_is_no_cursor_is_refused(cursor):
    with pytest.raises(Invalid):
        cursors.unseal(cursor, key=KEY, scope="s")
