"""Tests of the rules for unusual orders: each measure before, at and after its thresholds."""

from datetime import UTC, datetime, timedelta

import pytest

from wharfage.domain.risk import (
    OrderFlow,
    OrderRules,
    Outcome,
    Rule,
    Thresholds,
    Verdict,
    assess,
    flow_of,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = 86_400
OLD = timedelta(days=30)
FAR = Thresholds(review=10**9, refuse=10**9)
BOUND = Thresholds(review=100, refuse=1000)
RULES = OrderRules(
    version="1",
    window_seconds=DAY,
    review_seconds=DAY,
    new_account_seconds=DAY,
    orders_in_window=FAR,
    amount_in_window=FAR,
    amount=FAR,
    new_account=FAR,
)
MEASURED = [
    (99, Outcome.ALLOW), (100, Outcome.ALLOW), (101, Outcome.REVIEW), (999, Outcome.REVIEW),
    (1000, Outcome.REVIEW), (1001, Outcome.REFUSE),
]  # fmt: skip


def flow(orders: int = 1, amount_fen: int = 1) -> OrderFlow:
    return OrderFlow(
        account="usr_1", window="0", orders=orders, amount_fen=amount_fen, expires_at=NOW
    )


def rules(rule: Rule, bound: Thresholds = BOUND) -> OrderRules:
    return OrderRules(
        **{name: getattr(RULES, name) for name in RULES.__struct_fields__} | {rule.value: bound}
    )


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize(("measure", "outcome"), MEASURED)
def test_each_rule_holds_before_at_and_after_its_thresholds(rule, measure, outcome):
    counted = flow(
        orders=measure if rule is Rule.ORDERS else 1,
        amount_fen=measure if rule is Rule.WINDOW_AMOUNT else 1,
    )
    amount = measure if rule in {Rule.AMOUNT, Rule.NEW_ACCOUNT} else 1

    verdict = assess(rules(rule), counted, amount_fen=amount, account_age=timedelta())

    assert verdict.outcome is outcome
    assert verdict.rule is (None if outcome is Outcome.ALLOW else rule)


@pytest.mark.parametrize(
    ("age", "outcome"),
    [(DAY - 1, Outcome.REVIEW), (DAY, Outcome.ALLOW), (DAY + 1, Outcome.ALLOW)],
)
def test_an_account_is_new_until_its_time_is_over(age, outcome):
    verdict = assess(
        rules(Rule.NEW_ACCOUNT), flow(), amount_fen=101, account_age=timedelta(seconds=age)
    )

    assert verdict.outcome is outcome


def test_the_strictest_of_two_outcomes_wins_and_is_named():
    both = OrderRules(
        **{name: getattr(RULES, name) for name in RULES.__struct_fields__}
        | {"orders_in_window": BOUND, "amount": BOUND}
    )

    verdict = assess(both, flow(orders=101), amount_fen=1001, account_age=OLD)

    assert verdict == Verdict(outcome=Outcome.REFUSE, rule=Rule.AMOUNT)


def test_a_flow_counts_orders_and_their_amounts_in_its_window():
    began = flow_of("usr_1", RULES, NOW)

    counted = began.with_order(100).with_order(50)

    assert (counted.orders, counted.amount_fen, counted.version) == (2, 150, 2)
    assert began.expires_at == datetime(2026, 3, 2, tzinfo=UTC)
    assert flow_of("usr_1", RULES, began.expires_at).window != began.window
