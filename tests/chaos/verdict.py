"""What a run proved: each promise with its verdict, and the figures that were measured."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.chaos.books import Auditor, Snapshot, by_id
from tests.chaos.customers import Customer, Log
from tests.chaos.events import Life
from tests.chaos.injector import Injector
from tests.chaos.plan import CONTROL, FaultKind
from tests.chaos.work import Work
from tests.fixtures.money import UNUSED
from wharfage.adapters.embedded import file_store
from wharfage.domain.attempt import AttemptState, ReasonClass
from wharfage.domain.balance import Balance, Entry, EntryCode
from wharfage.domain.job import AttemptRecord, Job
from wharfage.domain.order import Order, OrderState
from wharfage.operations import ledger
from wharfage.ports import Ports

ADOPTED_SECONDS_MAX = 5.0
ELSEWHERE_SECONDS_MAX = 90.0
_SHOWN = 20
_PAID = ("TRADE_SUCCESS", "TRADE_FINISHED")


@dataclass(kw_only=True)
class Evidence:
    """All that is left of a run."""

    seed: int
    began: float
    ended: float
    works: dict[str, Work]  #: By the id of the job that became of it.
    customers: list[Customer]
    injector: Injector
    auditor: Auditor
    lives: dict[str, Life]
    hosts: dict[str, str]  #: Agent's name to host.
    last: Snapshot
    store: Path
    logs: dict[tuple[str, int], Log]
    trades: list[Any]
    secrets: dict[str, str]
    log_files: list[Path]
    drained_after: float  #: Seconds after the last fault was taken back.
    cleared_after: float
    leftovers: list[str]
    deaths: list[str]
    loads: list[float] = field(default_factory=list)


def invariants(seen: Evidence) -> dict[str, dict[str, Any]]:
    """Judge every promise; what breaks one is named."""
    found: dict[str, list[str]] = {
        "the books add up at every instant": list(seen.auditor.faults),
        "customers see only what is promised": [f for c in seen.customers for f in c.faults],
        "the ledger replays from zero": list(_replayed_wrong(seen)),
        "every payment is credited once": list(_paid_wrong(seen)),
        "no job is lost": list(_lost(seen)),
        "a key makes one job": list(_unknown(seen)),
        "every end is the program's own, or ours and free": list(_ended_wrong(seen)),
        "no attempt is started twice": list(_started_twice(seen)),
        "what is charged for did start": list(_charged_unstarted(seen)),
        "two attempts overlap only while the first host is away": list(_overlaps(seen)),
        "nothing is left over": seen.leftovers,
        "logs are exact, or marked": list(_logs_wrong(seen)),
        "no stale report is accepted": seen.injector.accepted_stale,
        "no log file holds a secret": list(_leaks(seen)),
    }
    return {
        name: {"holds": not broken, "broken": broken[:_SHOWN], "count": len(broken)}
        for name, broken in found.items()
    }


def verdict(seen: Evidence) -> dict[str, Any]:
    """Write the whole verdict."""
    judged = invariants(seen)
    return {
        "seed": seen.seed,
        "clean": all(each["holds"] for each in judged.values()),
        "seconds": round(seen.ended - seen.began, 1),
        "machine": {
            "processors": os.cpu_count(),
            "load_mean": round(sum(seen.loads) / max(1, len(seen.loads)), 2),
            "load_most": round(max(seen.loads, default=0.0), 2),
        },
        "counts": _counts(seen),
        "faults": _faults(seen),
        "drained_after_seconds": seen.drained_after,
        "cleared_after_seconds": seen.cleared_after,
        "aims": {
            "agent killed to containers adopted": _figure(adoptions(seen), ADOPTED_SECONDS_MAX),
            "host lost to job running elsewhere": _figure(relocations(seen), ELSEWHERE_SECONDS_MAX),
        },
        "invariants": judged,
    }


def _counts(seen: Evidence) -> dict[str, Any]:
    jobs, attempts = seen.last.all(Job), seen.last.all(AttemptRecord)
    orders, logs = seen.last.all(Order), seen.logs.values()
    hogs = [job for job in jobs if job.id in seen.works and _hog(seen.works[job.id])]
    return {
        "jobs": len(jobs),
        "attempts": len(attempts),
        "ends": Counter(job.state.value for job in jobs),
        "kinds": Counter(work.kind for work in seen.works.values()),
        "platform_ends": sum(_ours(job) for job in jobs),
        "attempts_lost": sum(each.state is AttemptState.LOST for each in attempts),
        "attempts_overlapping": len(list(_overlapping(seen))),
        # The engine's notice of it can be lost with the container: then it is exit code 137.
        "out_of_memory_not_named": sum(not job.oom for job in hogs if job.exit_code is not None),
        "containers_started": sum(len(life.starts) for life in seen.lives.values()),
        "same_key_repeats": sum(each.replays for each in seen.customers),
        "orders_paid": sum(order.state is OrderState.PAID for order in orders),
        "duplicate_payments": sum(len(order.duplicates) for order in orders),
        "requests_replayed": seen.injector.replayed,
        "notifies_replayed": seen.injector.notifies_replayed,
        "books_read": seen.auditor.reads,
        "books_read_by_api": sum(each.reads for each in seen.customers),
        "logs_read": len(logs),
        "logs_with_gap": sum(log.gap for log in logs),
        "log_bytes": sum(len(text) for log in logs for text in log.streams.values()),
        "canaries": len(seen.secrets),
    }


def _faults(seen: Evidence) -> dict[str, Any]:
    done = sorted(seen.injector.done, key=lambda each: each.began)
    return {
        "carried_out": Counter(each.kind for each in done if not each.failed),
        "in_order": [
            f"{each.began - seen.began:.1f}-{each.ended - seen.began:.1f}"
            f" {each.lane} {each.kind} {each.note}"
            for each in done
        ],
        "failed": [f"{each.kind} {each.lane}: {each.note}" for each in done if each.failed],
        "agents_that_left_by_themselves": seen.deaths,
    }


def _hog(work: Work) -> bool:
    return work.kind == "out_of_memory"


def adoptions(seen: Evidence) -> list[float]:
    """List how long adoptions took with nothing else broken at that moment."""
    return sorted(
        each.adopted
        for each in seen.injector.done
        if each.kind == FaultKind.KILL_AGENT and each.adopted is not None and each.held
        if not _disturbed(seen, each.began, each.began + each.adopted)
    )


def relocations(seen: Evidence) -> list[float]:
    """List how long work of silent hosts took until it ran elsewhere."""
    records = {(each.job, each.attempt): each for each in seen.last.all(AttemptRecord)}
    found = []
    for silence in seen.injector.done:
        if silence.kind != FaultKind.SILENCE or silence.failed:
            continue
        for name, life in seen.lives.items():
            job, attempt = _of_name(name)
            record = records.get((job, attempt))
            following = seen.lives.get(f"wharfage-{job}-{attempt + 1}")
            if life.host != seen.hosts[silence.lane] or not life.runs_at(silence.began):
                continue
            lost = record is not None and record.state is AttemptState.LOST
            if lost and following is not None and following.started is not None:
                found.append(following.started - silence.began)
    return sorted(found)


def _figure(values: list[float], most: float) -> dict[str, Any]:
    if not values:
        return {"samples": 0, "aim": most, "met": None}
    p99 = values[min(len(values) - 1, int(len(values) * 0.99))]
    return {
        "samples": len(values),
        "p50": round(values[len(values) // 2], 2),
        "p99": round(p99, 2),
        "most": round(values[-1], 2),
        "aim": most,
        "met": p99 <= most,
    }


def _disturbed(seen: Evidence, begins: float, ends: float) -> bool:
    return any(each.lane == CONTROL and each.meets(begins - 1, ends) for each in seen.injector.done)


def _replayed_wrong(seen: Evidence) -> Iterator[str]:
    store = file_store(seen.store)
    others = (each.name for each in fields(Ports) if each.name != "store")
    ports = Ports(store=store, **dict.fromkeys(others, UNUSED))
    for balance in seen.last.all(Balance):
        audit = ledger.audit(ports, balance.account)
        if not audit.exact:
            yield str(audit)
    for customer in seen.customers:
        if not customer.caller.adds_up():
            yield f"{customer.caller.email} by the API"


def _paid_wrong(seen: Evidence) -> Iterator[str]:
    orders = {order.id: order for order in seen.last.all(Order)}
    credited = {e.reference: e for e in seen.last.all(Entry) if e.code is EntryCode.TOPUP}
    paid = [trade for trade in seen.trades if _paid(orders[trade["order_no"]], trade)]
    for trade in paid:
        order = orders[trade["order_no"]]
        fen = round(float(trade["amount"]) * 100)
        if order.state is not OrderState.PAID or order.amount_fen != fen:
            yield f"{order.id} is {order.state}, paid {fen}"
        if trade["trade_no"] not in (order.trade_no, *order.duplicates):
            yield f"{order.id} does not know trade {trade['trade_no']}"
    if len(credited) != len(paid):
        yield f"{len(paid)} orders are paid, {len(credited)} credited"
    known = {number for customer in seen.customers for number in customer.orders}
    for number in known - {trade["order_no"] for trade in paid}:
        yield f"{number} was paid at the cashier, and is not"


def _paid(order: Order, trade: dict[str, Any]) -> bool:
    """Tell whether an order was paid; of two payments the one told of later has gone back."""
    back = trade["status"] == "TRADE_CLOSED" and trade["trade_no"] in order.duplicates
    return back or trade["status"] in ("TRADE_SUCCESS", "TRADE_FINISHED")


def _lost(seen: Evidence) -> Iterator[str]:
    for job in seen.last.all(Job):
        if not job.terminal:
            yield f"{job.id} ({seen.works[job.id].kind}) is {job.state} of attempt {job.attempt}"


def _unknown(seen: Evidence) -> Iterator[str]:
    there = {job.id for job in seen.last.all(Job)}
    for job in there ^ set(seen.works):
        yield f"{job} is {'nobody’s' if job in there else 'not there'}"


def _ours(job: Job) -> bool:
    return job.reason_class is ReasonClass.PLATFORM


def _ended_wrong(seen: Evidence) -> Iterator[str]:
    jobs = by_id(seen.last.all(Job))
    for number, work in seen.works.items():
        job = jobs.get(number)
        if job is None or not job.terminal:
            continue
        right = job.state.value == work.status and work.exit_code in (None, job.exit_code)
        if not right and not (_ours(job) and job.state is AttemptState.FAILED):
            said = f"{job.state} {job.exit_code} {job.reason_code} of attempt {job.attempt}"
            yield f"{number} ({work.kind}) ended {said}, not {work.status} {work.exit_code}"
    for record in seen.last.all(AttemptRecord):
        if record.reason_class is ReasonClass.PLATFORM and record.cost_fen:
            yield f"{record.job}.{record.attempt} was ours and cost {record.cost_fen}"


def _started_twice(seen: Evidence) -> Iterator[str]:
    for name, life in seen.lives.items():
        if len(life.starts) > 1:
            yield f"{name} was started {len(life.starts)} times"


def _charged_unstarted(seen: Evidence) -> Iterator[str]:
    for entry in seen.last.all(Entry):
        job, _, attempt = entry.reference.partition(".")
        if entry.code is EntryCode.USE and entry.amount_fen:
            life = seen.lives.get(f"wharfage-{job}-{attempt}")
            if life is None or life.started is None:
                yield f"{entry.reference} cost {-entry.amount_fen} fen"


def _overlaps(seen: Evidence) -> Iterator[str]:
    agents = {host: name for name, host in seen.hosts.items()}
    for name, life, begins in _overlapping(seen):
        if not _excused(seen, agents.get(life.host, ""), begins):
            yield f"{name} still ran at {begins:.1f} when the next one started"


def _overlapping(seen: Evidence) -> Iterator[tuple[str, Life, float]]:
    """List the attempts that still ran when their job's next one started, and when that was."""
    for name, life in seen.lives.items():
        job, attempt = _of_name(name)
        following = seen.lives.get(f"wharfage-{job}-{attempt + 1}")
        begins = following.started if following is not None else None
        if begins is not None and life.runs_at(begins):
            yield name, life, begins


def _excused(seen: Evidence, agent: str, moment: float) -> bool:
    """Tell whether an agent was away, or blind, shortly before *moment*."""
    return any(
        each.lane in (agent, CONTROL) and each.meets(moment - 90, moment)
        for each in seen.injector.done
    )


def _logs_wrong(seen: Evidence) -> Iterator[str]:
    jobs = by_id(seen.last.all(Job))
    for (number, attempt), log in seen.logs.items():
        work, job = seen.works[number], jobs[number]
        name = f"{number}.{attempt} ({work.kind})"
        if not log.complete:
            yield f"{name} never became complete"
        if work.stdout is None:
            continue
        whole = job.attempt == attempt and not (log.gap or log.truncated or _ours(job))
        for stream, wanted in (("stdout", work.stdout), ("stderr", work.stderr)):
            has = log.streams[stream]
            if has != wanted[: len(has)] or (whole and has != wanted):
                yield f"{name} {stream}: {len(has)} of {len(wanted)} bytes, gap={log.gap}"


def _leaks(seen: Evidence) -> Iterator[str]:
    for file in seen.log_files:
        text = file.read_bytes()
        for name, secret in seen.secrets.items():
            # What `up` says to the terminal has the code in it: that is how the operator gets it.
            told = file.name == "up.log" and name == "the operator's code"
            if secret.encode() in text and not told:
                yield f"{name} is in {file.name}"


def _of_name(name: str) -> tuple[str, int]:
    job, _, attempt = name.removeprefix("wharfage-").rpartition("-")
    return job, int(attempt)
