"""The guards of memberships, months and templates, by name."""

from tests.simulation.mutation import Mutation

_CONTROL = "wharfage.operations."
_DOMAIN = "wharfage.domain."

UNITS = (
    Mutation(
        "units at admission", _CONTROL + "admission:_hold_units",
        'at_least("remaining", job.hold_units)', 'present("remaining")',
    ),
    Mutation(
        "nothing taken of a month that was written off", _CONTROL + "admission:_hold_units",
        ', absent("lapsed_at")', "",
    ),
    Mutation(
        "one source pays", _DOMAIN + "job:admit",
        "fare.hold_fen if fare else", "fare.price_fen if fare else",
    ),
    Mutation(
        "units are given back", _CONTROL + "attempts:_released",
        '"remaining": job.hold_units - ended.cost_units', '"remaining": job.hold_units',
    ),
    Mutation(
        "a template is paid only for a success", _DOMAIN + "ending:_cost",
        "end.state is not AttemptState.SUCCEEDED or started is None", "False",
    ),
    Mutation(
        "line of a month's price", _CONTROL + "memberships:_lines",
        "yield Put(entry, when=[absent()])", "",
    ),
    Mutation(
        "line of a month's units", _CONTROL + "memberships:_lines",
        "yield Put(granted, when=[absent()])", "",
    ),
    Mutation(
        "membership under its version", _CONTROL + "memberships:written",
        "membership = items.change(current, made.membership, otherwise=Moved())",
        "membership = items.merge(made.membership)",
    ),
    Mutation(
        "month given once", _CONTROL + "memberships:written",
        'when=[below("granted", 1)], otherwise=Moved()', "",
    ),
    Mutation(
        "renewal comes after the last month", _DOMAIN + "membership:extended",
        "current is None or now >= current.ends_at", "current is None or True",
    ),
    Mutation(
        "renewal of what has ended begins anew", _DOMAIN + "membership:extended",
        "current is None or now >= current.ends_at", "current is None",
    ),
    Mutation(
        "a month is open until its end", _DOMAIN + "membership:open_month",
        "membership is None or now >= membership.ends_at", "membership is None",
    ),
    Mutation(
        "write-off waits for what is held", _CONTROL + "memberships:lapse",
        "if period.held:", "if False:",
    ),
    Mutation(
        "write-off of what was read", _CONTROL + "memberships:lapse",
        'as_read = [equals("remaining", period.remaining), equals("held", period.held)]',
        "as_read = [equals(\"account\", period.account)]",
    ),
    Mutation(
        "write-off once", _CONTROL + "memberships:lapse",
        'when=[*as_read, equals("lapsed_at", None)],', "when=as_read,",
    ),
    Mutation(
        "line of a write-off once", _CONTROL + "memberships:lapse",
        "Put(entry, when=[absent()], otherwise=StateConflict())", "Put(entry)",
    ),
    Mutation(
        "reminder under the membership's version", _CONTROL + "memberships:remind",
        "items.change(membership, after)", "items.merge(after)",
    ),
)  # fmt: skip

#: What each is covered by.
REDUNDANT_UNITS: dict[str, tuple[str, ...]] = {
    "nothing taken of a month that was written off": ("a month is open until its end",),
    "a month is open until its end": ("nothing taken of a month that was written off",),
    "membership under its version": ("month given once",),
    "month given once": ("membership under its version",),
    "write-off once": ("line of a write-off once",),
    "line of a write-off once": ("write-off once",),
}

#: The test of each that has the moment in which it counts.
SELDOM_UNITS: dict[str, str] = {
    "write-off of what was read": "operations/test_units.py::"
    "test_a_late_submit_that_comes_while_a_month_is_written_off_makes_it_wait",
}
