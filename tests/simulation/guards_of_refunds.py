"""The guards of refunds and disputes, by name."""

from tests.simulation.mutation import Mutation

_CONTROL = "wharfage.operations."
_DOMAIN = "wharfage.domain."

REFUNDS = (
    Mutation(
        "no more goes back than was paid", _CONTROL + "refunds:_reserve",
        'at_least("refundable_fen", refund.amount_fen),', "",
    ),
    Mutation(
        "money that goes back is there", _CONTROL + "withdrawals:asked_for",
        'when=[*free, at_least("available", amount_fen)],', "when=free,",
    ),
    Mutation(
        "frozen money is not asked back", _CONTROL + "withdrawals:asked_for",
        '[present(), absent("frozen_at")]', "[present()]",
    ),
    Mutation(
        "units go with their price", _CONTROL + "refunds:_ask",
        "*withdrawals.from_month(away, month, now),", "",
    ),
    Mutation(
        "units as read when they go back", _CONTROL + "withdrawals:from_month",
        '*(equals(name, getattr(period, name)) for name in ("remaining", "held", "used")),', "",
    ),
    Mutation(
        "month goes with its last unit", _CONTROL + "withdrawals:from_month",
        "if shorter is not None:", "if False:",
    ),
    Mutation(
        "later month goes first", _DOMAIN + "unused:Month.refundable_fen",
        "if not self.last:", "if False:",
    ),
    Mutation(
        "what is held does not go back", _DOMAIN + "unused:Month.unused",
        "max(0, min(period.remaining, bought))", "max(0, period.remaining + period.held)",
    ),
    Mutation(
        "units come back with their price", _CONTROL + "withdrawals:give_back",
        "actions += restored", "pass",
    ),
    Mutation(
        "money comes back of what came to nothing", _CONTROL + "withdrawals:give_back",
        "if away.balance_fen:", "if False:",
    ),
    Mutation(
        "amount is refundable again", _CONTROL + "refunds:_refundable_again",
        '"refundable_fen": refund.amount_fen, ', "",
    ),
    Mutation(
        "what has gone back is counted", _CONTROL + "refunds:_actions",
        "yield _gone_back(after, console=console)", "pass",
    ),
    Mutation(
        "refund of the console is booked", _CONTROL + "refunds:_actions",
        "if succeeded and ours:", "if False:",
    ),
)  # fmt: skip

DISPUTES = (
    Mutation(
        "dispute keeps its amount from refunds", _CONTROL + "disputes:_moved",
        "refundable_fen=order.refundable_fen - fen,", "",
    ),
    Mutation(
        "dispute freezes", _CONTROL + "disputes:_freeze",
        'marks["frozen_at"] = dispute.opened_at', "pass",
    ),
    Mutation(
        "disputes are counted", _CONTROL + "disputes:_freeze",
        '"disputes": 0 if lost else 1', '"disputes": 0',
    ),
    Mutation(
        "another dispute keeps it frozen", _CONTROL + "disputes:_ended_freeze",
        "balance.disputes == 1 and ", "",
    ),
    Mutation(
        "the operator keeps it frozen", _CONTROL + "disputes:_ended_freeze",
        "free = won and balance.disputes == 1 and balance.frozen_by is None",
        "free = won and balance.disputes == 1",
    ),
    Mutation(
        "lost leaves it frozen as by hand", _CONTROL + "disputes:_ended_freeze",
        'set={"frozen_by": dispute.told_by} if by_hand else {},', "",
    ),
    Mutation(
        "a dispute keeps frozen what the operator lets go", _CONTROL + "life:unfreeze",
        "and not balance.disputes", "",
    ),
    Mutation(
        "an ended dispute does not end otherwise", _DOMAIN + "dispute:told",
        "if dispute.state.terminal:", "if False:",
    ),
    Mutation(
        "what was won unheard moves nothing", _DOMAIN + "dispute:begun",
        "booked=news.state is not DisputeState.WON,", "booked=True,",
    ),
    Mutation(
        "dispute begun once", _CONTROL + "disputes:_row",
        "Put(after, when=[absent()], otherwise=withdrawals.Moved())", "Put(after)",
    ),
    Mutation(
        "line of a withdrawal once", _CONTROL + "withdrawals:_posted",
        "Put(entry, when=[absent()])", "Put(entry)",
    ),
    Mutation(
        "balance as read by a dispute", _CONTROL + "disputes:_as_read",
        ", *(equals(name, getattr(balance, name)) for name in names)", "",
    ),
    Mutation(
        "submit refused while frozen", _CONTROL + "admission:_hold_money",
        "*_FREE", 'absent("suspended_at")',
    ),
)  # fmt: skip

#: What each is covered by.
REDUNDANT_BACK: dict[str, tuple[str, ...]] = {
    "line of a withdrawal once": ("dispute begun once",),
}

#: The test of each that has the moment in which it counts.
SELDOM_BACK: dict[str, str] = {
    "no more goes back than was paid": "operations/test_refunds.py::"
    "test_what_another_refund_takes_meanwhile_is_not_refunded_as_well",
    "units as read when they go back": "operations/test_refunds_of_memberships.py::"
    "test_units_taken_meanwhile_are_not_refunded",
    "balance as read by a dispute": "operations/test_disputes_told.py::"
    "test_what_freezes_meanwhile_keeps_frozen_what_is_won",
}
