"""What a host no longer has is given to others, as long as it is in the life that was judged."""

from dataclasses import replace

import pytest

from tests.fixtures.money import CountedStore
from tests.fixtures.work import world
from wharfage.domain.attempt import AttemptState
from wharfage.operations import assignments


@pytest.mark.parametrize("judged", ["bot_earlier", None])
def test_what_a_later_life_has_claimed_is_not_given_up(judged) -> None:
    at = world()
    host = at.host()
    job = at.submit()
    host.take(job)

    assignments.give_up(at.ports, host.row.id, boot=judged, spare=assignments.spare_none)

    assert at.row(job).state is AttemptState.CLAIMED
    assert len(assignments.of_host(at.ports, host.row.id)) == 1


def test_what_the_judged_life_lacks_is_given_up_once() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    host.take(job)

    for _ in range(2):
        assignments.give_up(at.ports, host.row.id, boot=host.boot, spare=assignments.spare_none)

    assert (at.row(job).state, at.row(job).attempt) == (AttemptState.QUEUED, 2)
    assert assignments.of_host(at.ports, host.row.id) == []


class MovedStore(CountedStore):
    """A store in which something happens right after the first list was read."""

    def __init__(self, store, meanwhile):
        super().__init__(store)
        self._meanwhile = meanwhile

    def query(self, *args, **kwargs):
        page = self._store.query(*args, **kwargs)
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()
        return page


def test_what_another_host_has_claimed_meanwhile_is_not_given_up() -> None:
    at = world()
    first, second = at.host(), at.host()
    job = at.submit()
    first.take(job)

    def meanwhile() -> None:
        assignments.give_up(at.ports, first.row.id, boot=first.boot, spare=assignments.spare_none)
        second.take(job)

    moved = replace(at.ports, store=MovedStore(at.ports.store, meanwhile))
    assignments.give_up(moved, first.row.id, boot=first.boot, spare=assignments.spare_none)

    assert (at.row(job).state, at.row(job).host) == (AttemptState.CLAIMED, second.row.id)
