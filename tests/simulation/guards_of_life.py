"""The guards of quotas and of an account's life, by name."""

from tests.simulation.mutation import Mutation

_CONTROL = "wharfage.operations."

LIFE = (
    Mutation(
        "quotas at admission", _CONTROL + "usage:_within",
        "for attribute, (_, limit) in most.items()],", "for attribute, (_, limit) in ()],",
    ),
    Mutation(
        "what is above its limit by itself", _CONTROL + "usage:_room",
        "below(attribute, used_max + 1) if used_max >= 0 else _NEVER",
        "below(attribute, used_max + 1)",
    ),
    Mutation(
        "money committed is counted", _CONTROL + "usage:admit",
        "if not job.hold_fen:", "if True:",
    ),
    Mutation(
        "counters given back with the job", _CONTROL + "attempts:_actions",
        "*usage.move(job, ended.job, record.ended_at),", "",
    ),
    Mutation(
        "counters moved by a claim", _CONTROL + "claims:_take",
        "*usage.move(job, after, now),", "",
    ),
    Mutation(
        "debt paid first", _CONTROL + "receipts:credit",
        "paid_fen = min(owes.debt_fen, amount_fen)", "paid_fen = 0",
    ),
    Mutation(
        "debt seen by a credit", _CONTROL + "receipts:credit",
        '[present(), below("debt", 1), absent("suspended_at")]', "[present()]",
    ),
    Mutation(
        "suspension ended by a top-up", _CONTROL + "receipts:credit",
        'remove=["suspended_at"] if resumed else [],', "remove=[],",
    ),
    Mutation(
        "debt as read", _CONTROL + "receipts:credit",
        'equals("debt", owes.debt_fen) if owes.debt_fen else below("debt", 1),', "",
    ),
    Mutation(
        "submit refused while suspended", _CONTROL + "admission:_hold_money",
        "*_FREE", 'absent("frozen_at")',
    ),
    Mutation(
        "a debt that is too old suspends", "wharfage.domain.usage:to_suspend",
        "balance.debt > 0", "False",
    ),
    Mutation(
        "work stopped of a suspended account", _CONTROL + "life:look",
        "jobs.stop_all(ports, usage.account, StopReason.SUSPEND, actor=SWEEPER)", "pass",
    ),
)  # fmt: skip
