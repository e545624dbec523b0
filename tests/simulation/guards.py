"""The guards of the product, by name: what each is, where it is written, and how to take it away.

A mutation replaces a piece of a function's source. `REDUNDANT` names the guards that another one
covers, so that only taking both away is seen; the pair is then what has to be killed. `SELDOM`
names those that count in moments which too few worlds have; a test elsewhere has each.
"""

from tests.simulation.guards_agent import AGENTS, LOGS, SELDOM_AGENTS
from tests.simulation.guards_of_channels import CHANNELS
from tests.simulation.guards_of_life import LIFE
from tests.simulation.guards_of_refunds import DISPUTES, REDUNDANT_BACK, REFUNDS, SELDOM_BACK
from tests.simulation.guards_of_units import REDUNDANT_UNITS, SELDOM_UNITS, UNITS
from tests.simulation.mutation import Mutation

_CONTROL = "wharfage.operations."
_DOMAIN = "wharfage.domain."
_AGENT = "wharfage_agent."


def _mutations() -> tuple[Mutation, ...]:
    return (
        *_MONEY, *UNITS, *LIFE, *CHANNELS, *REFUNDS, *DISPUTES, *_CLAIMS, *_LIVES, *AGENTS, *LOGS,
    )  # fmt: skip


_MONEY = (
    Mutation(
        "funds at admission", _CONTROL + "admission:_hold_money",
        'at_least("available", job.hold_fen)', 'present("available")',
    ),
    Mutation(
        "hold in the transaction of its job", _CONTROL + "admission:_commit",
        "Put(hold, when=[absent()]),", "",
    ),
    Mutation(
        "idempotency key of a submit", _CONTROL + "admission:_commit",
        "*keys.record(request, object_id=job.id, now=now),", "",
    ),
    Mutation(
        "ban checked by the submit's transaction", _CONTROL + "admission:_commit",
        'when=[present(), absent("banned_at")]', "when=[present()]",
    ),
    Mutation(
        "funds for another attempt", _CONTROL + "attempts:_charge",
        'when=[at_least("available", cost_fen)],', 'when=[at_least("available", 0)],',
    ),
    Mutation(
        "hold released with its job", _CONTROL + "attempts:_released",
        '"available": job.hold_fen - ended.cost_fen', '"available": job.hold_fen',
    ),
    Mutation(
        "hold settled once", _CONTROL + "attempts:_settled",
        'when=[equals("state", HoldState.OPEN.value)],', 'when=[at_least("amount_fen", 0)],',
    ),
    Mutation(
        "line of a use", _CONTROL + "attempts:_captured",
        "[*_charge(job, ended.cost_fen), *_entry(job, ended)]", "[*_charge(job, ended.cost_fen)]",
    ),
    Mutation(
        "change under its version", "wharfage.items:change",
        'equals("version", before["version"])', 'equals("id", before["id"])',
    ),
    Mutation(
        "order under its version", _CONTROL + "payments:_actions",
        "yield items.change(before, order, otherwise=_Moved())",
        "yield Put(order, when=[])",
    ),
    Mutation(
        "seller of a notify", _CONTROL + "payments:_judge",
        "event.seller != channel.seller", "False",
    ),
    Mutation(
        "amount of a notify", _CONTROL + "payments:_judge",
        "event.trade.amount_fen != order.amount_fen", "False",
    ),
    Mutation(
        "amount of a trade", _DOMAIN + "order:_by_table",
        "trade.status.paid and trade.amount_fen != order.amount_fen", "False",
    ),
    Mutation(
        "doubt of an ambiguous notify", _CONTROL + "payments:_judge",
        "if event.ambiguous:", "if False:",
    ),
    Mutation(
        "trade bound to another order, as read", _CONTROL + "payments:_judge",
        "binding is not None and binding.order != order.id", "False",
    ),
    Mutation(
        "trade bound once", _CONTROL + "payments:_payment",
        "yield Put(binding, when=[absent()], otherwise=_Bound())", "",
    ),
    Mutation(
        "credit once", _DOMAIN + "order:_paid",
        "case ((TradeStatus.SUCCESS | TradeStatus.CLOSED), True):",
        "case TradeStatus.SUCCESS, False:\n            "
        "return _credit(order, trade, now, OrderNews.PAID)\n        "
        "case ((TradeStatus.SUCCESS | TradeStatus.CLOSED), True):",
    ),
    Mutation(
        "payment recorded once", _CONTROL + "payments:_payment",
        "yield Put(payment, when=[absent()])", "yield Put(payment)",
    ),
    Mutation(
        "entry posted once", _CONTROL + "payments:_topup",
        "return Put(entry, when=[absent()])", "return Put(entry)",
    ),
    Mutation(
        "credit of a late payment", _DOMAIN + "order:_closed",
        "return _credit(order, trade, now, OrderNews.PAID_LATE)", "return Decision(order=order)",
    ),
    Mutation(
        "record of a second payment", _DOMAIN + "order:_other_trade",
        "trade.status.paid and trade.trade_no not in {order.gone_trade_no, *order.duplicates}",
        "False",
    ),
    Mutation(
        "cost capped by limit and grace", _DOMAIN + "ending:charged_seconds",
        "ours, job.max_run_s + job.stop_grace_s", "ours",
    ),
    Mutation(
        "our own fault is free", _DOMAIN + "ending:_cost",
        "end.reason_class is ReasonClass.PLATFORM", "False",
    ),
    Mutation(
        "shorter of two measures", _AGENT + "endings:_run_ms",
        "min(seen, measured) if measured else seen", "seen",
    ),
)  # fmt: skip

_CLAIMS = (
    Mutation(
        "host as read in a claim", _CONTROL + "claims:_take",
        'equals("claims", host.claims),\n                equals("boot", host.boot),\n'
        '                equals("status", host.status.value),',
        'equals("id", host.id),',
    ),
    Mutation(
        "only a ready host claims", _CONTROL + "claims:claim",
        "if not takes_work(who.host, now):", "if False:",
    ),
    Mutation(
        "claim of a waiting job only", _CONTROL + "claims:_standing",
        "again = mine and progress.grantable_again(job, now)", "again = True",
    ),
    Mutation(
        "claim id of a report", _CONTROL + "reports:_current",
        "(job.attempt, job.claim_id) == (report.attempt, report.claim_id)", "True",
    ),
    Mutation(
        "host of a report", _CONTROL + "reports:_current",
        "and job.host == who.host.id", "",
    ),
    Mutation(
        "boot of a report", _CONTROL + "reports:receive",
        "if who.host.boot != request.boot:", "if False:",
    ),
    Mutation(
        "rank of a report", _CONTROL + "reports:_apply",
        "report.seq <= job.seq or report.state.rank <= job.state.rank", "False",
    ),
    Mutation(
        "end of an attempt once", _CONTROL + "reports:_apply",
        "if record is not None:", "if False:",
    ),
    Mutation(
        "assignment goes with its attempt", _CONTROL + "attempts:_actions",
        "actions.append(Delete(key))", "pass",
    ),
    Mutation(
        "end only of the current claim", _CONTROL + "assignments:_current_job",
        "return job if same else None", "return job",
    ),
    Mutation(
        "user attempts counted", _DOMAIN + "ending:_again_at",
        "not job.retry.allows(job.user_attempts, end.exit_code, end.reason)", "False",
    ),
    Mutation(
        "free repeats counted", _DOMAIN + "ending:_again_at",
        "None if faulty or end.state is AttemptState.EXPIRED else now", "now",
    ),
    Mutation(
        "no attempt after a stop", _DOMAIN + "ending:_again_at",
        "if job.stop_reason is not None and job.stop_reason.for_good:", "if False:",
    ),
    Mutation(
        "deadline of a claim", _DOMAIN + "progress:claimed",
        "due_at=now + timedelta(seconds=limits.CLAIMED_SECONDS),", "due_at=None,",
    ),
    Mutation(
        "re-ring by the sweep", _CONTROL + "sweep:_ring",
        "if not free:", "if True:",
    ),
    Mutation(
        "back-off ends by the sweep", _CONTROL + "sweep:_move_job",
        "after = progress.queued(job, now)", "return",
    ),
)  # fmt: skip

_LIVES = (
    Mutation(
        "earlier boot refused", _CONTROL + "agents:heartbeat",
        "request.held is None or request.boot < host.boot_newest", "request.held is None",
    ),
    Mutation(
        "heartbeat under the boot as read", _CONTROL + "agents:heartbeat",
        'when=[equals("boot", host.boot), equals("status", host.status.value)],',
        "when=[present()],",
    ),
    Mutation(
        "reconcile at the first heartbeat", _CONTROL + "agents:heartbeat",
        "if request.held is not None:\n        _reconcile(ports, who, request)", "",
    ),
    Mutation(
        "own claims spared by a late first heartbeat", _CONTROL + "agents:_reconcile",
        "or assignment.boot == request.boot", "",
    ),
    Mutation(
        "work given up only by the life that was judged", _CONTROL + "assignments:give_up",
        'when=[equals("boot", boot)]', "when=[present()]",
    ),
    Mutation(
        "claim repeated only in time for its report", _DOMAIN + "progress:grantable_again",
        "now < job.claimed_at + timedelta(seconds=limits.CLAIM_REPEAT_SECONDS)", "True",
    ),
    Mutation(
        "lease as read when it is taken away", _CONTROL + "sweep:_fence",
        'equals("lease_until", timestamp(host.lease_until)),', "",
    ),
    Mutation(
        "lease awaited before work is given away", _CONTROL + "sweep:_move_host",
        "if not _fence(ports, host, now):", "if False:",
    ),
    Mutation(
        "work given away at once by a revoke", _CONTROL + "hosts:revoke",
        "assignments.give_up(ports, host_id, boot=None, spare=assignments.spare_none)", "",
    ),
    Mutation(
        "revoked host's token refused", _CONTROL + "hosts:authenticate",
        "or host.status is HostStatus.REVOKED", "",
    ),
    Mutation(
        "silent host keeps the sweep awake", _CONTROL + "sweep:_silent",
        "return host.boot is not None and not reachable(host, now)", "return False",
    ),
)  # fmt: skip

MUTATIONS: tuple[Mutation, ...] = _mutations()

#: Guards that others cover: only without all of them does anything go wrong.
REDUNDANT: dict[str, tuple[str, ...]] = {
    **REDUNDANT_UNITS,
    **REDUNDANT_BACK,
    "hold settled once": ("change under its version",),
    "amount of a notify": ("amount of a trade",),
    "amount of a trade": ("amount of a notify",),
    "trade bound to another order, as read": ("trade bound once",),
    "claim id of a report": ("end of an attempt once",),
    "end of an attempt once": ("claim id of a report",),
    "host of a report": ("claim id of a report", "end of an attempt once"),
    "boot of a report": ("claim id of a report", "end of an attempt once"),
    "re-ring by the sweep": ("look without a doorbell",),
    "look without a doorbell": ("re-ring by the sweep",),
    "lease awaited before work is given away": ("work given up only by the life that was judged",),
    "work given up only by the life that was judged": ("lease awaited before work is given away",),
    "order under its version": ("trade bound once", "payment recorded once", "entry posted once"),
    "payment recorded once": ("order under its version", "trade bound once", "entry posted once"),
    "entry posted once": ("order under its version", "trade bound once", "payment recorded once"),
}

#: Guards that worlds miss too seldom, each with the test that fails without it.
SELDOM: dict[str, str] = {
    **SELDOM_UNITS,
    **SELDOM_BACK,
    **SELDOM_AGENTS,
    "end only of the current claim": "operations/test_assignments.py::"
    "test_what_another_host_has_claimed_meanwhile_is_not_given_up",
    # Without these, deadlines do the same, later.
    "reconcile at the first heartbeat": "operations/test_agents.py::"
    "test_what_a_new_boot_lacks_is_tried_again_and_what_it_has_goes_on",
    "work given away at once by a revoke": "operations/test_agents.py::"
    "test_a_revoked_host_is_nobody_at_once_and_its_work_goes_to_others",
    "claim repeated only in time for its report": "operations/test_claims.py::"
    "test_a_claim_is_not_repeated_when_its_first_report_could_come_too_late",
    "lease as read when it is taken away": "operations/test_sweep.py::"
    "test_a_host_that_speaks_just_when_it_is_judged_keeps_its_lease",
}
