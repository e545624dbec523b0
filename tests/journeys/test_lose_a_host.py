"""A host goes silent: its job runs elsewhere, and the customer pays for one run."""

from tests.fixtures.harbour import HOLD_FEN, Harbour
from wharfage.domain import limits

LEASE = limits.LEASE_SECONDS + limits.LEASE_GRACE_SECONDS


def test_a_lost_hosts_job_runs_elsewhere_and_is_charged_once(harbour: Harbour) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    lost, other = operator.host(), operator.host()
    customer.top_up(1000)
    job = customer.submit(max_run_s=300)
    first = lost.take()
    lost.begin(first)
    # The control plane shows its own health first; then the host falls silent.
    harbour.live(LEASE, lost, other)

    harbour.live(LEASE + 2 * 5, other)

    shown = customer.job(job)
    assert (shown["status"], shown["attempt"]) == ("queued", 2)
    second = other.take()
    other.run(second, seconds=9)
    shown = customer.job(job)
    assert (shown["status"], shown["host"], shown["cost_fen"]) == ("succeeded", other.id, 9)
    assert customer.ledger() == [("topup", 1000), ("use", 0), ("use", -9)]
    attempts = customer.get(f"/v1/jobs/{job['id']}/attempts")["items"]
    assert [(each["status"], each["reason_code"], each["cost_fen"]) for each in attempts] == [
        ("lost", "host_lost", 0),
        ("succeeded", None, 9),
    ]

    # What the first host has to say now changes nothing: it is fenced, then told so.
    late = lost.ask("reports", {"boot": lost.boot, "reports": [_end(first, harbour)]})
    assert (late.status, late.code) == (409, "stale_boot")
    lost.start()
    assert lost.end(first, seconds=200) == "stale_claim"
    assert customer.money() == (991, 0)


def test_a_job_that_shall_wait_for_its_host_is_left_to_it(harbour: Harbour) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    silent, other = operator.host(), operator.host()
    customer.top_up(10_000)
    job = customer.submit(max_run_s=3600, on_host_lost="wait")
    grant = silent.take()
    silent.begin(grant)
    harbour.live(LEASE, silent, other)

    harbour.live(3 * LEASE, other)
    assert customer.job(job)["status"] == "running"

    silent.start()
    assert silent.wishes() == {job["id"]: None}
    assert silent.end(grant, seconds=300) == "accepted"
    assert (customer.job(job)["status"], customer.job(job)["attempt"]) == ("succeeded", 1)
    assert customer.ledger() == [("topup", 10_000), ("use", -300)]


def test_a_revoked_hosts_job_goes_to_another_at_once(harbour: Harbour) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    revoked, other = operator.host(), operator.host()
    customer.top_up(1000)
    job = customer.submit()
    revoked.take()

    assert operator("POST", f"/v1/hosts/{revoked.id}/revoke").status == 204

    assert revoked.ask("heartbeat", {}).status == 401
    other.run(other.take(), seconds=2)
    assert customer.job(job)["status"] == "succeeded"
    assert customer.money() == (998, 0)


def test_a_drained_host_gives_its_work_back_at_the_deadline(harbour: Harbour) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    draining, other = operator.host(), operator.host()
    customer.top_up(1000)
    job = customer.submit(max_run_s=300)
    grant = draining.take()
    draining.begin(grant)

    drained = operator("POST", f"/v1/hosts/{draining.id}/drain", {"deadline_s": 30})
    customer.submit()
    assert drained.json["status"] == "draining"
    assert draining.beat() | {"draining": True, "accepts_claims": False} == draining.beat()
    assert draining.claim()["grants"] == []
    harbour.live(35, draining, other)
    assert draining.wishes() == {job["id"]: "drain"}
    assert draining.end(grant, seconds=35, exit_code=143, stop_reason="drain") == "accepted"

    assert draining.beat()["accepts_claims"] is False
    assert operator.get(f"/v1/hosts/{draining.id}")["status"] == "drained"
    shown = customer.job(job)
    assert (shown["status"], shown["attempt"], shown["cost_fen"]) == ("queued", 2, 0)
    assert customer.money() == (1000 - 310 - HOLD_FEN, 310 + HOLD_FEN)


def _end(grant: dict[str, object], harbour: Harbour) -> dict[str, object]:
    names = ("account", "job", "attempt", "claim_id")
    return {name: grant[name] for name in names} | {
        "seq": 9, "state": "succeeded", "at": harbour.clock.now().isoformat(), "exit_code": 0,
        "started": True, "run_ms": 1000,
    }  # fmt: skip
