"""The budgets: how many round trips each call makes, counted at the ports.

The store is in memory, so nothing is hidden by speed; on DynamoDB each of these is a request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from tests.fixtures import edge, money, work
from tests.fixtures.counting import Meter, Tally
from tests.fixtures.money import ALICE
from tests.fixtures.work import ROOM, SPEC
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState, StopReason
from wharfage.domain.host import HostPrincipal, Room
from wharfage.domain.job_view import JobView
from wharfage.domain.spec import Retry
from wharfage.domain.trade import TradeStatus
from wharfage.messages import (
    Candidate,
    ClaimsReply,
    ClaimsRequest,
    Grant,
    HeartbeatRequest,
    Report,
    ReportsRequest,
)
from wharfage.operations import accounts, agents, claims, hosts, jobs, logs, reports, sessions
from wharfage.transaction import ACTIONS_MAX

PASSWORD = "correct horse battery"
TERMINAL_ACTIONS_MAX = 8  #: Of a terminal report: its own seven, and the account's counters.
SUBMIT_ACTIONS_MAX = 9  #: Of a submit with a key: its own seven, the counters and the day's spend.

#: Room for more than one call takes.
WIDE = Room(slots=64, cpu_millis=64_000, memory_mb=64_000, disk_mb=64_000)


@dataclass
class Dock:
    """A world whose ports count, and one host in it."""

    at: work.World
    meter: Meter
    host: work.HandHost

    def who(self) -> HostPrincipal:
        """Read the host as its authentication does, before anything is counted."""
        return self.host.who

    def claim(self, *heard: JobView, slots: int = 10) -> tuple[ClaimsReply, Tally]:
        request = ClaimsRequest(
            boot=self.host.boot,
            free=msgspec.structs.replace(WIDE, slots=slots),
            candidates=tuple(
                Candidate(account=ALICE.account, job=job.id, attempt=1) for job in heard
            ),
        )
        who = self.who()
        with self.meter.of() as tally:
            reply = claims.claim(self.meter.ports, who, request)
        return reply, tally

    def report(self, *told: Report) -> Tally:
        who = self.who()
        with self.meter.of() as tally:
            reports.receive(
                self.meter.ports, who, ReportsRequest(boot=self.host.boot, reports=told)
            )
        return tally

    def end(self, grant: Grant, **facts: Any) -> Report:
        whole: dict[str, Any] = {
            "account": grant.account, "job": grant.job, "attempt": grant.attempt,
            "claim_id": grant.claim_id, "seq": 9, "state": AttemptState.SUCCEEDED,
            "at": self.at.clock.now(), "exit_code": 0, "started": True, "run_ms": 3000,
        }  # fmt: skip
        return Report(**(whole | facts))


@pytest.fixture
def dock() -> Dock:
    at = work.world(money_fen=100_000)
    meter = Meter(at.ports)
    at.ports = meter.ports
    return Dock(at, meter, at.host(capacity=WIDE))


def test_an_authenticated_call_costs_one_batch_read() -> None:
    bound = edge.ports()
    accounts.register(bound, email="a@example.com", password=PASSWORD, address="127.0.0.1")
    tokens = sessions.sign_in(bound, email="a@example.com", password=PASSWORD, address="127.0.0.1")
    meter = Meter(bound)

    with meter.of() as tally:
        sessions.authenticate(meter.ports, tokens.access_token)

    assert tally.calls == {"reads": 1}


def test_an_agents_call_costs_one_batch_read_before_its_own(dock: Dock) -> None:
    with dock.meter.of() as tally:
        hosts.authenticate(dock.meter.ports, dock.host.token)

    assert tally.calls == {"reads": 1}


def test_a_submit_costs_a_rate_window_a_transaction_and_a_send(dock: Dock) -> None:
    with dock.meter.of() as tally:
        dock.at.submit(key="k")

    assert tally.calls == {"writes": 2, "sends": 1}
    assert [len(actions) for actions in tally.transactions] == [1, SUBMIT_ACTIONS_MAX]


def test_a_replayed_submit_sends_nothing(dock: Dock) -> None:
    dock.at.submit(key="k")

    with dock.meter.of() as tally:
        dock.at.submit(key="k")

    assert (tally.sends, tally.writes) == (0, 2)


@pytest.mark.parametrize("count", [1, 3, limits.CLAIMS_MAX])
def test_a_claim_costs_two_reads_and_a_transaction_a_job(dock: Dock, count: int) -> None:
    heard = [dock.at.submit() for _ in range(count)]

    reply, tally = dock.claim(*heard)

    assert len(reply.grants) == count
    assert tally.calls == {"nominations": 1, "reads": 1, "writes": count}


def test_a_claim_without_a_doorbell_costs_the_same(dock: Dock) -> None:
    dock.at.submit()

    reply, tally = dock.claim()

    assert len(reply.grants) == 1
    assert tally.calls == {"nominations": 1, "reads": 1, "writes": 1}


def test_a_claim_that_fills_the_host_does_not_read_the_long_queue_behind_it(dock: Dock) -> None:
    waiting = [dock.at.submit() for _ in range(3 * limits.CLAIMS_MAX)]

    reply, tally = dock.claim(waiting[0], slots=1)

    assert (len(reply.grants), reply.more) == (1, True)
    assert tally.calls == {"nominations": 1, "reads": 1, "writes": 1}


def test_a_claim_of_nothing_that_fits_reads_five_pages_at_most(dock: Dock) -> None:
    elsewhere = msgspec.structs.replace(SPEC, labels={"zone": "mars"})
    for _ in range(60):
        dock.at.submit(elsewhere)

    reply, tally = dock.claim()

    assert reply.grants == ()
    assert tally.calls == {"nominations": 1, "reads": limits.READY_PAGES_MAX}


def test_a_terminal_report_costs_one_read_and_one_transaction(dock: Dock) -> None:
    (grant,) = dock.claim(dock.at.submit())[0].grants
    dock.at.clock.pass_(seconds=5)

    tally = dock.report(dock.end(grant))

    assert tally.calls == {"reads": 1, "writes": 1}
    assert [len(actions) for actions in tally.transactions] == [TERMINAL_ACTIONS_MAX]


def test_a_report_that_leads_to_another_attempt_rings_once_more(dock: Dock) -> None:
    spec = msgspec.structs.replace(SPEC, retry=Retry(max_attempts=2, backoff_base_s=0))
    (grant,) = dock.claim(dock.at.submit(spec))[0].grants
    dock.at.clock.pass_(seconds=5)

    tally = dock.report(dock.end(grant, exit_code=1))

    assert tally.calls == {"reads": 1, "writes": 1, "sends": 1}
    assert len(tally.transactions[0]) <= TERMINAL_ACTIONS_MAX


def test_a_repeated_report_costs_one_read(dock: Dock) -> None:
    (grant,) = dock.claim(dock.at.submit())[0].grants
    dock.report(dock.end(grant))

    assert dock.report(dock.end(grant)).calls == {"reads": 1}


def test_a_full_batch_of_reports_costs_one_read_and_a_transaction_each(dock: Dock) -> None:
    heard = [dock.at.submit() for _ in range(limits.CLAIMS_MAX)]
    grants = dock.claim(*heard)[0].grants

    tally = dock.report(*(dock.end(grant) for grant in grants))

    assert tally.calls == {"reads": 1, "writes": limits.CLAIMS_MAX}


@pytest.mark.parametrize("holding", [0, limits.CLAIMS_MAX])
def test_a_heartbeat_costs_one_write_whatever_the_host_holds(dock: Dock, holding: int) -> None:
    if holding:
        dock.claim(*(dock.at.submit() for _ in range(holding)))
    request = HeartbeatRequest(
        boot=dock.host.boot, agent_version="1.0", capacity=ROOM, free=ROOM, busy=holding > 0
    )
    who = dock.who()

    with dock.meter.of() as tally:
        agents.heartbeat(dock.meter.ports, who, request)

    assert tally.calls == {"writes": 1}
    assert len(tally.transactions[0]) == 1


def test_a_heartbeat_notes_that_heartbeats_arrive_once_in_ten_seconds(dock: Dock) -> None:
    request = HeartbeatRequest(boot=dock.host.boot, agent_version="1.0", capacity=ROOM, free=ROOM)
    dock.at.clock.pass_(seconds=limits.WATCH_SECONDS)

    writes = []
    for _ in range(2):
        who = dock.who()
        with dock.meter.of() as tally:
            agents.heartbeat(dock.meter.ports, who, request)
        writes.append(tally.writes)

    assert writes == [2, 1]


def test_a_notify_costs_one_read_and_one_transaction_and_a_repeat_one_read() -> None:
    at = money.world()
    order = at.order()
    meter = Meter(at.ports)
    at.ports = meter.ports

    with meter.of() as first:
        at.notify(order)
    with meter.of() as repeat:
        at.notify(order)

    assert first.calls == {"reads": 1, "writes": 1}
    assert repeat.calls == {"reads": 1}


def test_showing_a_job_that_runs_costs_one_read(dock: Dock) -> None:
    job = dock.at.submit()
    dock.claim(job)

    with dock.meter.of() as tally:
        dock.at.show(job)

    assert tally.calls == {"reads": 1}


def test_a_page_of_jobs_costs_the_same_however_many_there_are(dock: Dock) -> None:
    costs = []
    for _ in range(2):
        for _ in range(30):
            dock.at.submit()
        with dock.meter.of() as tally:
            jobs.find_all(dock.meter.ports, ALICE, after=None, limit=20)
        costs.append(tally.calls)

    assert costs == [{"reads": 3}] * 2


def test_reading_a_log_costs_one_query_a_stream_and_two_reads(dock: Dock) -> None:
    job = dock.at.submit()
    grant = dock.host.take(job)
    for place in range(10):
        dock.host.ship(grant, b"x", offset=place)

    with dock.meter.of() as tally:
        logs.read(dock.meter.ports, ALICE, job.id, cursor=None)

    assert tally.calls == {"reads": 4}


def by_cancel(dock: Dock) -> None:
    grant = dock.host.take(dock.at.submit())
    jobs.cancel(dock.at.ports, ALICE, grant.job)
    dock.host.finish(grant, exit_code=143, stop_reason=StopReason.CANCEL)


def by_cancel_in_the_queue(dock: Dock) -> None:
    jobs.cancel(dock.at.ports, ALICE, dock.at.submit(key="k").id)


def by_sweep(dock: Dock) -> None:
    dock.host.take(dock.at.submit())
    dock.at.sweep(seconds=limits.CLAIMED_SECONDS)
    dock.at.sweep(days=8)


def by_retry_and_exit(dock: Dock) -> None:
    spec = msgspec.structs.replace(SPEC, retry=Retry(max_attempts=2, backoff_base_s=0))
    job = dock.at.submit(spec)
    dock.host.run(dock.host.take(job), exit_code=1)
    dock.host.run(dock.host.take(dock.at.show(job)), exit_code=1)


def by_revoke(dock: Dock) -> None:
    dock.host.take(dock.at.submit())
    hosts.revoke(dock.at.ports, dock.host.id)


def by_drain(dock: Dock) -> None:
    dock.host.take(dock.at.submit())
    hosts.drain(dock.at.ports, dock.host.id, deadline_seconds=0)
    dock.host.beat(busy=True)
    dock.at.sweep(seconds=1)


def by_new_boot(dock: Dock) -> None:
    dock.host.take(dock.at.submit())
    dock.host.beat(boot=dock.at.ports.ids.new("bot"), held=())


def by_logs(dock: Dock) -> None:
    dock.host.ship(dock.host.take(dock.at.submit()), b"x", end=True)


@pytest.mark.parametrize(
    "story",
    [
        by_cancel, by_cancel_in_the_queue, by_sweep, by_retry_and_exit, by_revoke, by_drain,
        by_new_boot, by_logs,
    ],
)  # fmt: skip
def test_the_largest_transaction_of_work_fits_every_store(
    dock: Dock, story: Callable[[Dock], None]
) -> None:
    with dock.meter.of() as tally:
        story(dock)

    sizes = [len(actions) for actions in tally.transactions]
    assert len(sizes) > 1
    assert max(sizes) <= SUBMIT_ACTIONS_MAX < ACTIONS_MAX


@pytest.mark.parametrize("status", TradeStatus)
def test_the_largest_transaction_of_money_fits_every_store(status: TradeStatus) -> None:
    at = money.world()
    meter = Meter(at.ports)
    at.ports = meter.ports

    with meter.of() as tally:
        order = at.order()
        at.notify(order, status=status)
        at.notify(order, status=TradeStatus.SUCCESS, trade_no="T2")
        at.notify(order, status=TradeStatus.SUCCESS, trade_no="T3")

    assert max(len(actions) for actions in tally.transactions) <= TERMINAL_ACTIONS_MAX


def test_the_largest_transaction_of_an_account_fits_every_store() -> None:
    meter = Meter(edge.ports())
    code = accounts.open_operator_code(meter.ports)

    with meter.of() as tally:
        accounts.become_operator(
            meter.ports, code=code, email="o@example.com", password=PASSWORD, address="127.0.0.1"
        )
        accounts.register(
            meter.ports, email="a@example.com", password=PASSWORD, address="127.0.0.1"
        )

    assert max(len(actions) for actions in tally.transactions) <= TERMINAL_ACTIONS_MAX < ACTIONS_MAX
