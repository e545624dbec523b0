"""The budgets of memberships and templates: round trips and actions, counted at the ports."""

import pytest

from tests.fixtures import club, money, units, work
from tests.fixtures.counting import Meter
from tests.fixtures.money import ALICE, OPERATOR
from wharfage.domain.order import OrderKind
from wharfage.operations import jobs, orders, refunds
from wharfage.transaction import ACTIONS_MAX

SUBMIT_ACTIONS_MAX = 9  #: Of a template's job, with an idempotency key.
TERMINAL_ACTIONS_MAX = 8
CREDIT_ACTIONS_MAX = 9  #: Of a paid month.


@pytest.fixture
def at() -> work.World:
    return units.world_with_units(work.world())


def metered(at: work.World | money.World) -> Meter:
    meter = Meter(at.ports)
    at.ports = meter.ports
    return meter


def test_a_submit_of_a_template_costs_one_read_more_than_any(at: work.World) -> None:
    meter = metered(at)

    with meter.of() as tally:
        jobs.submit(at.ports, ALICE, units.ASKED, key="a")

    assert tally.calls == {"reads": 1, "writes": 2, "sends": 1}
    assert [len(actions) for actions in tally.transactions] == [1, SUBMIT_ACTIONS_MAX]


def test_a_template_that_the_balance_pays_after_all_costs_one_transaction_more(
    at: work.World,
) -> None:
    units.define(at.ports, units=101)
    meter = metered(at)

    with meter.of() as tally:
        jobs.submit(at.ports, ALICE, units.ASKED, key="a")

    assert tally.calls == {"reads": 1, "writes": 3, "sends": 1}
    assert max(len(actions) for actions in tally.transactions) == SUBMIT_ACTIONS_MAX


def test_a_template_of_an_account_without_membership_is_paid_at_the_first_try() -> None:
    at = work.world()
    units.define(at.ports)
    meter = metered(at)

    with meter.of() as tally:
        jobs.submit(at.ports, ALICE, units.ASKED, key="a")

    assert tally.calls == {"reads": 1, "writes": 2, "sends": 1}


def test_the_end_of_a_template_costs_what_any_does(at: work.World) -> None:
    host = at.host()
    grant = host.take(jobs.submit(at.ports, ALICE, units.ASKED, key="a").value)
    meter = metered(at)

    with meter.of() as tally:
        host.finish(grant)

    assert tally.writes == 1
    assert [len(actions) for actions in tally.transactions] == [TERMINAL_ACTIONS_MAX]


def test_a_notify_of_a_membership_costs_two_reads_and_one_transaction() -> None:
    at = money.world()
    body = orders.OpenOrder(kind=OrderKind.MEMBERSHIP, plan="basic")
    first, renewal = (at.row(orders.open(at.ports, ALICE, body, key=None).value.id) for _ in "ab")
    at.notify(first)
    meter = metered(at)

    with meter.of() as tally:
        at.notify(renewal)
    with meter.of() as repeat:
        at.notify(renewal)

    assert tally.calls == {"reads": 2, "writes": 1}
    assert [len(actions) for actions in tally.transactions] == [CREDIT_ACTIONS_MAX]
    assert repeat.calls == {"reads": 1}


def test_the_refund_of_a_whole_month_fits_into_one_transaction() -> None:
    here = club.club()
    order = here.paid_month()
    meter = Meter(here.ports)

    with meter.of() as tally:
        made = refunds.ask(meter.ports, ALICE, order.id, refunds.AskRefund(), key="a").value
    with meter.of() as back:
        refunds.reject(meter.ports, OPERATOR, order.id, made.id, refunds.RejectRefund(reason="no"))

    assert [len(actions) for actions in tally.transactions] == [ACTIONS_MAX]
    assert [len(actions) for actions in back.transactions] == [8]


def test_the_largest_transactions_fit_every_store() -> None:
    assert max(SUBMIT_ACTIONS_MAX, TERMINAL_ACTIONS_MAX, CREDIT_ACTIONS_MAX) < ACTIONS_MAX
