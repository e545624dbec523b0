"""Guards, each removed by hand: what the models have to see."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from math import ceil
from typing import Any

import msgspec
import pytest

from wharfage.adapters import store
from wharfage.domain import ending, limits, order, progress
from wharfage.domain.attempt import ReasonClass
from wharfage.items import change
from wharfage.operations import (
    admission,
    agents,
    assignments,
    attempts,
    claims,
    keys,
    ledger,
    payments,
    reports,
    sweep,
)
from wharfage.schema import timestamp
from wharfage.transaction import Absent, AtLeast, Delete, Equals, Update, present

Mutation = Callable[[pytest.MonkeyPatch], None]
Patch = pytest.MonkeyPatch


def _forget(patch: Patch, module: Any, action: str, *conditions: Any) -> None:
    """Make a module's actions of one kind without these conditions; of none named, without any."""
    make = getattr(module, action)

    def made(*args: Any, when: Any = (), **more: Any) -> Any:
        kept = [each for each in when if conditions and not _is_one(each, conditions)]
        return make(*args, when=kept, **more)

    patch.setattr(module, action, made)


def _is_one(condition: Any, forgotten: tuple[Any, ...]) -> bool:
    return any(
        isinstance(condition, kind) and condition.attribute == name for kind, name in forgotten
    )


def _write_blindly(patch: Patch, module: Any) -> None:
    """Have a module write changes of versioned rows whatever they are now."""
    patch.setattr(module, "change", lambda *args, **more: replace(change(*args, **more), when=()))


def claim_without_boot(patch: Patch) -> None:
    _forget(patch, claims, "Update", (Equals, "boot"))


def claim_without_status(patch: Patch) -> None:
    _forget(patch, claims, "Update", (Equals, "status"))


def claim_without_count(patch: Patch) -> None:
    _forget(patch, claims, "Update", (Equals, "claims"))


def claim_of_a_job_that_moved(patch: Patch) -> None:
    _write_blindly(patch, claims)


def report_on_a_job_that_moved(patch: Patch) -> None:
    _write_blindly(patch, reports)


def end_of_a_job_that_moved(patch: Patch) -> None:
    _write_blindly(patch, attempts)


def report_by_any_host(patch: Patch) -> None:
    real = reports._current

    def current(job: Any, who: Any, report: Any) -> bool:
        host = msgspec.structs.replace(who.host, id=job.host or "")
        return real(job, replace(who, host=host), report)

    patch.setattr(reports, "_current", current)


def report_with_any_claim(patch: Patch) -> None:
    real = reports._current
    patch.setattr(
        reports,
        "_current",
        lambda job, who, report: real(
            job, who, msgspec.structs.replace(report, claim_id=job.claim_id or "")
        ),
    )


def report_by_any_boot(patch: Patch) -> None:
    real = reports.receive
    patch.setattr(
        reports,
        "receive",
        lambda ports, who, request: real(
            ports, who, msgspec.structs.replace(request, boot=who.host.boot or "")
        ),
    )


def report_without_seq(patch: Patch) -> None:
    real = reports._apply

    def apply(ports: Any, who: Any, report: Any, job: Any, record: Any) -> Any:
        if job is not None and record is None:
            report = msgspec.structs.replace(report, seq=max(report.seq, job.seq + 1))
        return real(ports, who, report, job, record)

    patch.setattr(reports, "_apply", apply)


def repeated_end_is_stale(patch: Patch) -> None:
    real = reports._apply
    patch.setattr(
        reports,
        "_apply",
        lambda *args: "stale_claim" if args[-1] is not None else real(*args),
    )


def heartbeat_of_an_old_boot(patch: Patch) -> None:
    real = agents.heartbeat

    def heartbeat(ports: Any, who: Any, request: Any) -> Any:
        host = msgspec.structs.replace(who.host, boot_newest="")
        return real(ports, replace(who, host=host), request)

    patch.setattr(agents, "heartbeat", heartbeat)


def new_boot_keeps_what_it_lacks(patch: Patch) -> None:
    patch.setattr(agents, "_reconcile", lambda *_: None)


def capture_without_cap(patch: Patch) -> None:
    patch.setattr(ending, "charged_seconds", lambda job, *, run_ms, now: ceil(run_ms / 1000))


def platform_faults_cost(patch: Patch) -> None:
    patch.setattr(
        ending,
        "_cost",
        lambda job, end: ending._Cost(fen=job.price.cost_fen(job.resources, end.run_seconds)),
    )


def platform_faults_use_up_tries(patch: Patch) -> None:
    real = ending._counted

    def counted(job: Any, end: Any) -> Any:
        after, cost = real(job, end)
        ours = end.reason_class is ReasonClass.PLATFORM
        return msgspec.structs.replace(after, user_attempts=after.user_attempts + ours), cost

    patch.setattr(ending, "_counted", counted)


def platform_faults_without_end(patch: Patch) -> None:
    patch.setattr(limits, "PLATFORM_FAULTS_MAX", 10**6)


def retry_on_credit(patch: Patch) -> None:
    _forget(patch, attempts, "Update", (AtLeast, "available"))


def retry_that_is_not_charged(patch: Patch) -> None:
    patch.setattr(attempts, "_charge", lambda *_: [])


def end_that_leaves_the_assignment(patch: Patch) -> None:
    real = attempts._actions
    patch.setattr(
        attempts,
        "_actions",
        lambda *args: [each for each in real(*args) if not isinstance(each, Delete)],
    )


def cancel_behind_a_drain_is_forgotten(patch: Patch) -> None:
    patch.setattr(progress, "stoppable", lambda job, reason: job.stop_reason is None)


def stop_that_the_host_is_not_told(patch: Patch) -> None:
    patch.setattr(
        assignments, "Update", lambda *args, **more: Update(*args, **(more | {"set": {}}))
    )


def fence_whatever_is_due(patch: Patch) -> None:
    patch.setattr(sweep, "_LEASE_GRACE", timedelta(days=-1))


def push_on_what_has_moved(patch: Patch) -> None:
    def push_on(ports: Any, key: Any, now: Any) -> None:
        later = timestamp(now + timedelta(seconds=limits.SWEEP_BACKOFF_SECONDS))
        ports.store.commit(Update(key, set={"due_at": later}, when=[present("due_at")]))

    patch.setattr(sweep, "_push_on", push_on)


def lost_answer_is_a_refusal(patch: Patch) -> None:
    patch.setattr(store.RecordStore, "_there", lambda *_: False)


def hold_above_the_balance(patch: Patch) -> None:
    _forget(patch, admission, "Update", (AtLeast, "available"))


def hold_of_frozen_money(patch: Patch) -> None:
    _forget(patch, admission, "Update", (Absent, "frozen_at"))


def key_used_twice(patch: Patch) -> None:
    _forget(patch, keys, "Put")


def adjustment_booked_twice(patch: Patch) -> None:
    _forget(patch, ledger, "Put")


def adjustment_below_nothing(patch: Patch) -> None:
    _forget(patch, ledger, "Update")


def credit_without_binding(patch: Patch) -> None:
    real = payments._payment

    def payment(*args: Any, **more: Any) -> Any:
        return list(real(*args, **more))[1:]

    patch.setattr(payments, "_payment", payment)


def _judge_as_if(patch: Patch, **changed: Callable[[Any, Any], Any]) -> None:
    """Judge a notify as if it said what we expect."""
    real = payments._judge

    def judge(ports: Any, channel: Any, event: Any, found: Any, binding: Any) -> Any:
        if found is not None:
            event = replace(event, **{n: make(event, found) for n, make in changed.items()})
        return real(ports, channel, event, found, binding)

    patch.setattr(payments, "_judge", judge)


def notify_of_any_amount(patch: Patch) -> None:
    _judge_as_if(
        patch, trade=lambda event, found: replace(event.trade, amount_fen=found.amount_fen)
    )


def notify_of_any_seller(patch: Patch) -> None:
    _judge_as_if(patch, seller=lambda event, found: "2088000000000001")


def notify_that_could_be_read_in_two_ways(patch: Patch) -> None:
    _judge_as_if(patch, ambiguous=lambda event, found: False)


def answer_of_a_query_overwrites_news(patch: Patch) -> None:
    real = payments._actions

    def actions(*args: Any) -> Any:
        first, *rest = real(*args)
        return [replace(first, when=()), *rest]

    patch.setattr(payments, "_actions", actions)


def late_payment_is_dropped(patch: Patch) -> None:
    patch.setattr(order, "_closed", lambda found, *_: order.Decision(order=found))


def second_payment_is_dropped(patch: Patch) -> None:
    patch.setattr(order, "_other_trade", lambda found, *_: order.Decision(order=found))


OF_ATTEMPTS: tuple[Mutation, ...] = (
    claim_without_boot, claim_without_status, claim_without_count, claim_of_a_job_that_moved,
    report_on_a_job_that_moved, end_of_a_job_that_moved, report_by_any_host,
    report_with_any_claim, report_by_any_boot, report_without_seq, repeated_end_is_stale,
    heartbeat_of_an_old_boot, new_boot_keeps_what_it_lacks, platform_faults_cost,
    platform_faults_use_up_tries, platform_faults_without_end, end_that_leaves_the_assignment,
    cancel_behind_a_drain_is_forgotten, stop_that_the_host_is_not_told,
    fence_whatever_is_due, push_on_what_has_moved,
)  # fmt: skip
OF_MONEY: tuple[Mutation, ...] = (
    capture_without_cap, retry_on_credit, retry_that_is_not_charged, lost_answer_is_a_refusal,
    hold_above_the_balance, hold_of_frozen_money, key_used_twice, adjustment_booked_twice,
    adjustment_below_nothing, credit_without_binding, notify_of_any_amount, notify_of_any_seller,
    notify_that_could_be_read_in_two_ways, answer_of_a_query_overwrites_news,
    late_payment_is_dropped, second_payment_is_dropped,
)  # fmt: skip
