"""Breaks: found again and again they are one, they clear by themselves, or are resolved once."""

from datetime import timedelta

import pytest

from tests.fixtures.bills import (
    DAY,
    breaks_of,
    look,
    next_morning,
    paid_orders,
    publish,
    row,
    run_of,
    told,
)
from tests.fixtures.money import (
    OPERATOR,
    RacedStore,
    paid,
    with_store,
    world,
)
from wharfage import schema
from wharfage.domain.errors import NotFound, StateConflict
from wharfage.domain.reconciliation import BreakState
from wharfage.operations import breaks, reconciliation

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def here():
    return world()


def test_a_rerun_finds_the_same_and_posts_nothing(here):
    first, second, third = paid_orders(here, 3)
    missed = here.order(5)
    here.channel.trades[missed.id] = paid(missed)
    publish(here, row(first, amount_fen=1), row(second), row(missed))
    next_morning(here)
    look(here)
    before, entries = breaks_of(here), here.entries()

    for _ in range(3):
        reconciliation.request(here.ports, "alipay", DAY)
        look(here)

    after = breaks_of(here)
    assert [each.id for each in after] == [each.id for each in before]
    assert [(each.state, each.type) for each in after] == [
        (each.state, each.type) for each in before
    ]
    assert here.entries() == entries
    assert run_of(here).round == 4
    assert run_of(here).open_breaks == 2
    assert told(here)[-1] == ("missing_there", "open", third.id)


def test_a_break_that_a_later_look_no_longer_finds_is_cleared_and_can_come_back(here):
    [order] = paid_orders(here, 1)
    wrong, right = row(order, amount_fen=1), row(order)
    publish(here, wrong)
    next_morning(here)
    look(here)

    seen = []
    for rows in ([right], [wrong], [right]):
        publish(here, *rows)
        reconciliation.request(here.ports, "alipay", DAY)
        seen.append((look(here).open_breaks, *told(here)))

    cleared, back = ("amount", "cleared", order.id), ("amount", "open", order.id)
    assert seen == [(0, cleared), (1, back), (0, cleared)]


def one_break(here):
    [order] = paid_orders(here, 1)
    publish(here, row(order, amount_fen=1))
    next_morning(here)
    look(here)
    [found] = breaks_of(here)
    return found


def resolve(here, found, reason="a known fault of the channel", ports=None):
    return breaks.resolve(
        ports or here.ports, OPERATOR, found.channel, found.day, found.id, reason=reason
    )


def test_a_break_is_resolved_once_with_a_reason(here):
    found = one_break(here)

    first = resolve(here, found)
    again = resolve(here, found)

    assert (first.value.state, first.replayed) == (BreakState.RESOLVED, False)
    assert (again.value, again.replayed) == (first.value, True)
    assert first.value.closed_by == OPERATOR.account
    assert run_of(here).open_breaks == 0
    [event] = here.ports.store.query(schema.EVENT, found.id, limit=10).items
    assert (event.kind, event.actor) == ("reconciliation.resolved", OPERATOR.account)


def test_another_reason_or_another_break_is_refused(here):
    found = one_break(here)
    resolve(here, found)

    with pytest.raises(StateConflict) as caught:
        resolve(here, found, "something else")
    with pytest.raises(NotFound):
        resolve(here, replace_id(found, "brk_0"))

    assert caught.value.state == "resolved"
    assert run_of(here).open_breaks == 0


def replace_id(found, name):
    from msgspec.structs import replace as changed

    return changed(found, id=name)


def test_what_was_resolved_stays_so_however_often_it_is_found(here):
    found = one_break(here)
    resolve(here, found)

    reconciliation.request(here.ports, "alipay", DAY)
    look(here)

    [after] = breaks_of(here)
    assert (after.state, after.round, run_of(here).open_breaks) == (BreakState.RESOLVED, 2, 0)


def test_what_closed_by_itself_cannot_be_resolved(here):
    found = one_break(here)
    publish(here)
    reconciliation.request(here.ports, "alipay", DAY)
    look(here)

    with pytest.raises(StateConflict):
        resolve(here, found)


def test_two_who_resolve_at_once_resolve_once(here):
    found = one_break(here)
    raced = RacedStore(here.ports.store, lambda: resolve(here, found))

    made = resolve(here, found, ports=with_store(here, raced))

    assert made.replayed
    assert run_of(here).open_breaks == 0


def test_a_break_resolved_while_its_day_is_looked_at_is_counted_once(here):
    found = one_break(here)
    reconciliation.request(here.ports, "alipay", DAY)
    look(here, seconds=0)
    resolve(here, found)

    standing = look(here)

    assert standing.open_breaks == 0
    assert run_of(here).open_breaks == 0
