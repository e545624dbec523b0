"""What a host no longer has is given to others, as long as it is in the life that was judged."""

import pytest

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
