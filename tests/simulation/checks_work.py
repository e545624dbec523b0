"""Work, at every transaction and every start: J1 to J5, J10, R1 and R4."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulation.checks_money import Ran
from tests.simulation.network import AgentRequest
from tests.simulation.store import AuditedRows, Written
from tests.simulation.trace import Violation
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.attempt import TERMINAL_RANK, AttemptState, StopReason
from wharfage.transaction import Item

HELD = {state.value for state in AttemptState if state.held_by_host}
#: A machine that has been well for so long does not start what it has lost.
STALE_START_SECONDS = 30.0
#: And it has ended what it has lost: a heartbeat, a restart of the agent, a look at the engine.
OVERLAP_SECONDS = 60.0
FOR_GOOD = {reason.value for reason in StopReason if reason.for_good}
RANK = {state.value: state.rank for state in AttemptState}


@dataclass(kw_only=True)
class WorkChecks:
    """Looks at each applied transaction; *request* is what the acting task serves."""

    request: Callable[[], Any]
    rows: Callable[[], AuditedRows]
    today: Callable[[], datetime]
    keys: dict[tuple[str, str], str] = field(default_factory=dict)  #: The job that a key made.
    assigned: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    boots: dict[str, str] = field(default_factory=dict)  #: The life that a claim was made in.
    ends: dict[str, int] = field(default_factory=dict)  #: Events that say that a job ended.

    def check(self, written: Written) -> None:
        jobs: list[tuple[Item | None, Item]] = []
        made = ""
        touched = set()
        for _, before, after in written:
            item = after or before
            assert item is not None
            match item["record"]:
                case "job":
                    assert after is not None
                    jobs.append((before, after))
                    touched.add(after["id"])
                case "attempt":
                    self._attempt(before, after)
                case "assignment":
                    self._assignment(before, after)
                    touched.add(item["job"])
                case "key":
                    made = self._key(before, after) or made
                case "event":
                    self._event(before, after)
                case "host":
                    self._host(before, after)
                case "log_stream" | "log_chunk":
                    self._log(after)
                case "rate":
                    self._rate(after)
        for old, new in jobs:
            self._job(old, new, made)
        for job in touched:
            self._owner(job)

    # Rows.

    def _job(self, before: Item | None, after: Item, key_made: str) -> None:
        job = after["id"]
        if before is None:
            account = self.rows().peek(schema.ACCOUNT.key(id=after["account"]))
            if account is None or "banned_at" in account:
                raise Violation("R4", job, f"{job} was admitted for a banned account")
            if key_made != job:
                raise Violation("R1", job, f"{job} was made without its key")
            return
        if "ended_at" in before:
            raise Violation("J4", job, f"{job} has ended and changes: {_difference(before, after)}")
        old = (before["attempt"], RANK[before["state"]])
        new = (after["attempt"], RANK[after["state"]])
        if new < old or new[0] > old[0] + 1:
            raise Violation("J4", job, f"{job} went from {old} to {new}")
        if (new[1] >= TERMINAL_RANK) != ("ended_at" in after):
            raise Violation("J4", job, f"{job} is {after['state']}, ended_at {'ended_at' in after}")
        if after["state"] == "claimed" and before["state"] != "claimed":
            self._claimed(before, after)
        if new[0] > old[0] and before.get("stop_reason") in FOR_GOOD:
            raise Violation("J9", job, f"{job} is tried again after {before['stop_reason']}")
        self._authorised(before, after)

    def _claimed(self, before: Item, after: Item) -> None:
        job = after["id"]
        if before["state"] != "queued" or after["attempt"] != before["attempt"]:
            raise Violation("J2", job, f"{job} was claimed while {before['state']}")
        host = self.rows().peek(schema.HOST.key(id=after["host"]))
        if host is None or host.get("boot") != after["boot"] or host["status"] != "ready":
            raise Violation("J2", job, f"{job} was claimed by {after['host']}, which is {host}")

    def _authorised(self, before: Item, after: Item) -> None:
        """What a host changes, it changes by a claim that holds (J5)."""
        request = self.request()
        if not isinstance(request, AgentRequest) or request.host is None:
            return
        host = request.host.host.id
        if request.name != "reports":
            return
        claims = {
            each.claim_id
            for each in request.body.reports
            if (each.job, each.attempt) == (before["id"], before["attempt"])
        }
        if before.get("host") != host or before.get("claim_id") not in claims:
            raise Violation(
                "J5", before["id"], f"{host} reports on {before.get('claim_id')} with {claims}"
            )

    def _attempt(self, before: Item | None, after: Item | None) -> None:
        if before is not None or after is None:
            raise Violation("J3", str(before), f"an attempt ends again: {before} to {after}")
        if after.get("reason_code") == "host_lost" and "seq" not in after:
            self._given_up(after)
        if RANK[after["state"]] < TERMINAL_RANK:
            raise Violation("J3", after["job"], f"an attempt ended as {after['state']}")

    def _given_up(self, record: Item) -> None:
        """Work is taken only from a life of a host that has lost its lease (J2)."""
        job = self._job_row(record["job"])
        host = self.rows().peek(schema.HOST.key(id=record["host"]))
        assert job is not None
        assert host is not None
        boot = self.boots[record["claim_id"]]
        if host.get("boot") == boot:
            raise Violation("J2", record["job"], f"{record} is given up, {boot} holds its lease")

    def _assignment(self, before: Item | None, after: Item | None) -> None:
        if after is None:
            assert before is not None
            self.assigned.pop(before["job"], None)
            return
        if before is None:
            if after["job"] in self.assigned:
                raise Violation("J2", after["job"], f"assigned to {self.assigned[after['job']]}")
            self.assigned[after["job"]] = (after["host"], after["attempt"], after["claim_id"])
            self.boots[after["claim_id"]] = after["boot"]

    def _owner(self, job_id: str) -> None:
        """Exactly what a host holds is assigned to it (J2)."""
        job = self._job_row(job_id)
        if job is None:
            return
        expected = None
        if job["state"] in HELD:
            expected = (job["host"], job["attempt"], job["claim_id"])
        if self.assigned.get(job_id) != expected:
            raise Violation(
                "J2", job_id, f"{job['state']}: assigned {self.assigned.get(job_id)}, {expected}"
            )

    def _job_row(self, job_id: str) -> Item | None:
        return self.rows().job(job_id)

    def _key(self, before: Item | None, after: Item | None) -> str | None:
        if before is not None or after is None:
            raise Violation("R1", str(before), "an idempotency key changes")
        self.keys[after["account"], after["key"]] = after["object_id"]
        return str(after["object_id"])

    def _event(self, before: Item | None, after: Item | None) -> None:
        if before is not None or after is None:
            raise Violation("R7", str(before), "an event changes")
        kind = after["kind"]
        if kind.startswith("job.") and kind != "job.queued":
            self.ends[after["subject"]] = self.ends.get(after["subject"], 0) + 1
            if self.ends[after["subject"]] > 1:
                raise Violation("J4", after["subject"], f"a second end: {kind}")

    def _host(self, before: Item | None, after: Item | None) -> None:
        if before is None or after is None:
            return
        if before["status"] == "revoked" and after["status"] != "revoked":
            raise Violation("J5", after["id"], "a revoked host comes back")
        if after.get("boot_newest", "") < before.get("boot_newest", ""):
            raise Violation("J5", after["id"], "an earlier boot takes over")
        fenced = "boot" in before and "boot" not in after and after["status"] != "revoked"
        if fenced and before["lease_until"] > schema.timestamp(self.today()):
            raise Violation("J2", after["id"], f"fenced before {before['lease_until']}")
        if "boot" in after and after["boot"] != after["boot_newest"]:
            raise Violation("J5", after["id"], f"{after['boot']} is not the newest boot")

    def _log(self, after: Item | None) -> None:
        request = self.request()
        if after is None or not isinstance(request, AgentRequest):
            return
        assert request.host is not None
        job, attempt = after["job"], after["attempt"]
        claims = {
            each.claim_id
            for each in request.body.pieces
            if (each.job, each.attempt) == (job, attempt)
        }
        record = self.rows().peek(schema.ATTEMPT.key(job=job, attempt=attempt))
        row = record or self._job_row(job)
        assert row is not None
        if row.get("claim_id") not in claims or row.get("host") != request.host.host.id:
            raise Violation("J5", job, f"a log of {job} by {claims} of {request.host.host.id}")

    def _rate(self, after: Item | None) -> None:
        assert after is not None
        limit = _LIMITS.get(after["action"])
        if limit is not None and after["count"] > limit:
            raise Violation("R2", after["principal"], f"{after['action']} counts {after['count']}")


@dataclass(kw_only=True)
class StartChecks:
    """Looks at each container that really starts and ends: J1 and J10."""

    now: Callable[[], float]
    well_since: Callable[[str], float]  #: Since when nothing was wrong with a machine.
    grace: Callable[[str], float]  #: How long a job's containers may take to stop.
    owns: Callable[[str, str, int], bool]  #: Whether an attempt is assigned to a machine.
    later: Callable[[float, Callable[[], None]], None]
    ran: dict[tuple[str, int], Ran] = field(default_factory=dict)
    overlaps: int = 0

    def started(self, job: str, attempt: int, machine: str) -> None:
        if (job, attempt) in self.ran:
            raise Violation("J1", job, f"{job}.{attempt} started twice: {self.ran[job, attempt]}")
        self.ran[job, attempt] = Ran(machine, self.now())
        if not self.owns(machine, job, attempt) and self._well(machine) > STALE_START_SECONDS:
            raise Violation("J2", job, f"{machine} starts {job}.{attempt}, which is not its own")
        for other in self._beside(job, attempt):
            self.overlaps += 1
            self._look(job, other)

    def ended(self, job: str, attempt: int, exit_code: int | None) -> None:
        ran = self.ran[job, attempt]
        self.ran[job, attempt] = Ran(ran.machine, ran.started, self.now(), exit_code)

    def _look(self, job: str, attempt: int) -> None:
        """An attempt that was given up ends once its machine is well again for a while (J10)."""
        ran = self.ran[job, attempt]
        if ran.ended is not None or not list(self._beside(job, attempt)):
            return
        left = OVERLAP_SECONDS + self.grace(job) - self._well(ran.machine)
        if left <= 0:
            raise Violation("J10", job, f"{job}.{attempt} still runs on {ran.machine}, well again")
        self.later(left + 0.1, lambda: self._look(job, attempt))

    def _well(self, machine: str) -> float:
        return self.now() - self.well_since(machine)

    def _beside(self, job: str, attempt: int) -> Iterator[int]:
        """Name the other attempts of a job that run just now."""
        for (name, other), ran in self.ran.items():
            if name == job and other != attempt and ran.ended is None:
                yield other


_LIMITS = {"jobs.submit": limits.SUBMITS_PER_MINUTE, "orders": limits.OPEN_ORDERS_MAX}


def _difference(before: Item, after: Item) -> dict[str, tuple[Any, Any]]:
    names = {*before, *after}
    return {
        name: (before.get(name), after.get(name))
        for name in sorted(names)
        if before.get(name) != after.get(name)
    }
