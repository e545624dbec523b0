"""Outputs arrive by links, settle once, are fetched by their owner, and are removed in time."""

import msgspec
import pytest

from tests.fixtures.money import ALICE, BOB
from tests.fixtures.objects import LinkSpoilt
from tests.fixtures.work import SPEC, HandHost, World, small, world
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState
from wharfage.domain.errors import Invalid, NotFound, StaleClaim
from wharfage.domain.job_view import JobView
from wharfage.domain.output import MissingReason, OutputsView
from wharfage.domain.spec import Retry
from wharfage.messages import Grant
from wharfage.operations import outputs

OUT, LOG = "/wharfage/out.png", "/wharfage/log.txt"
PICTURE, TEXT = b"a picture", b"a text"
ASKING = msgspec.structs.replace(SPEC, outputs=(OUT, LOG))


def running(at: World, **changes: object) -> tuple[HandHost, JobView, Grant]:
    host = at.host()
    job = at.submit(msgspec.structs.replace(ASKING, **changes))
    grant = host.take(job)
    host.report(grant, AttemptState.RUNNING, seq=1)
    return host, job, grant


def bring(at: World, host: HandHost, grant: Grant, found: dict[str, bytes]) -> bool:
    """Send what is wanted, and ask again, as an agent does."""
    for wanted in host.settle(grant, found).wanted:
        at.objects.send(wanted.url, [found[wanted.path]])
    return host.settle(grant, found).settled


def read(at: World, job: JobView, **asked: int) -> OutputsView:
    return outputs.read(at.ports, ALICE, job.id, **asked)


def missing(view: OutputsView) -> dict[str, MissingReason]:
    return {each.path: each.reason for each in view.missing}


def test_what_a_job_left_is_fetched_byte_for_byte() -> None:
    at = world()
    host, job, grant = running(at)
    host.finish(grant)

    settled = bring(at, host, grant, {OUT: PICTURE, LOG: TEXT})

    view = read(at, job)
    assert (settled, view.complete, missing(view)) == (True, True, {})
    assert {item.path: at.objects.fetch(item.url) for item in view.items} == {
        OUT: PICTURE, LOG: TEXT,
    }  # fmt: skip
    assert "outputs.stored" in at.news(job)


def test_outputs_may_come_before_the_report_of_the_end_or_after_it_and_after_a_failure() -> None:
    early, late = world(), world()
    before = running(early)
    after = running(late)

    bring(early, before[0], before[2], {OUT: PICTURE, LOG: TEXT})
    before[0].finish(before[2])
    after[0].finish(after[2], exit_code=3)
    bring(late, after[0], after[2], {OUT: PICTURE, LOG: TEXT})

    assert len(read(early, before[1]).items) == len(read(late, after[1]).items) == 2
    assert late.show(after[1]).status == "failed"


def test_what_has_arrived_is_not_asked_for_again() -> None:
    at = world()
    host, _, grant = running(at)
    found = {OUT: PICTURE, LOG: TEXT}
    first = host.settle(grant, found)
    at.objects.send(first.wanted[0].url, [PICTURE])

    second = host.settle(grant, found)

    assert [each.path for each in second.wanted] == [LOG]
    assert not second.settled


def test_a_repeat_of_the_settling_call_agrees_and_writes_nothing() -> None:
    at = world()
    host, job, grant = running(at)
    bring(at, host, grant, {OUT: PICTURE, LOG: TEXT})
    before = read(at, job)

    again = host.settle(grant, {OUT: b"other", LOG: TEXT})

    assert again.settled
    assert read(at, job) == before
    assert at.news(job).count("outputs.stored") == 1


def test_a_missing_output_is_a_warning_with_a_reason_and_changes_no_result() -> None:
    at = world()
    host, job, grant = running(at)
    host.finish(grant)
    wanted = host.settle(grant, {OUT: PICTURE}, {LOG: MissingReason.NOT_FOUND}).wanted
    at.objects.send(wanted[0].url, [PICTURE])

    assert host.settle(grant, {OUT: PICTURE}, {LOG: MissingReason.NOT_FOUND}).settled

    view = read(at, job)
    assert [item.path for item in view.items] == [OUT]
    assert missing(view) == {LOG: MissingReason.NOT_FOUND}
    assert at.show(job).status == "succeeded"
    assert "outputs.missing" in at.news(job)


def test_what_arrived_otherwise_than_announced_does_not_count() -> None:
    at = world()
    host, job, grant = running(at)
    host.finish(grant)
    host.settle(grant, {OUT: PICTURE, LOG: TEXT})
    at.objects.kept[f"outputs/{ALICE.account}/{job.id}/0001/00"] = b"forged"
    at.objects.kept[f"outputs/{ALICE.account}/{job.id}/0001/01"] = TEXT

    again = host.settle(grant, {OUT: PICTURE, LOG: TEXT})

    assert [each.path for each in again.wanted] == [OUT]
    assert not read(at, job).complete


@pytest.mark.parametrize(
    "found",
    [
        {OUT: PICTURE},
        {OUT: PICTURE, LOG: TEXT, "/wharfage/more": b""},
        {OUT: PICTURE, "/etc/passwd": TEXT},
    ],
)
def test_a_host_tells_of_every_output_of_the_job_and_of_no_other(found: dict[str, bytes]) -> None:
    at = world()
    host, _, grant = running(at)

    with pytest.raises(Invalid):
        host.settle(grant, found)


def test_outputs_together_may_fill_the_volume_and_not_more() -> None:
    at = world()
    host, _, grant = running(at, resources=small(disk_mb=1))
    half = bytes(512 * 1024)

    assert host.settle(grant, {OUT: half, LOG: half}).wanted
    with pytest.raises(Invalid):
        host.settle(grant, {OUT: half, LOG: half + b"1"})


def test_an_old_claim_another_host_and_a_late_call_are_stale() -> None:
    at = world()
    host, job, grant = running(at)
    found = {OUT: PICTURE, LOG: TEXT}

    with pytest.raises(StaleClaim):
        host.settle(grant, found, claim_id="clm_0old")
    with pytest.raises(StaleClaim):
        at.host().settle(grant, found)
    host.finish(grant)
    at.clock.pass_(seconds=limits.OUTPUTS_LATE_SECONDS)
    assert host.settle(grant, found).wanted
    at.clock.pass_(seconds=1)
    with pytest.raises(StaleClaim):
        host.settle(grant, found)

    assert set(missing(read(at, job)).values()) == {MissingReason.NOT_DELIVERED}


def test_each_attempt_has_outputs_of_its_own() -> None:
    at = world()
    host, job, grant = running(at, retry=Retry(max_attempts=2, backoff_base_s=0))
    host.finish(grant, exit_code=1)
    bring(at, host, grant, {OUT: b"first", LOG: TEXT})
    at.sweep(seconds=1)
    second = host.take(at.show(job))
    host.report(second, AttemptState.RUNNING, seq=1)
    host.finish(second)
    bring(at, host, second, {OUT: b"second", LOG: TEXT})

    newest, first = read(at, job), read(at, job, attempt=1)

    assert (newest.attempt, at.objects.fetch(newest.items[0].url)) == (2, b"second")
    assert (first.attempt, at.objects.fetch(first.items[0].url)) == (1, b"first")
    with pytest.raises(NotFound):
        read(at, job, attempt=3)


def test_outputs_of_a_job_that_never_ran_are_missing_at_once() -> None:
    at = world()
    job = at.submit(ASKING)

    waiting = read(at, job)
    at.sweep(seconds=job.max_run_s + 100_000)

    assert not waiting.complete
    view = read(at, job)
    assert view.complete
    assert set(missing(view).values()) == {MissingReason.NOT_STARTED}


def test_a_job_without_outputs_is_complete_with_its_end() -> None:
    at = world()
    host, job, grant = running(at, outputs=())

    before = read(at, job)
    host.finish(grant)

    assert (before.complete, read(at, job)) == (
        False, OutputsView(attempt=1, complete=True),
    )  # fmt: skip


def test_somebody_elses_outputs_are_not_found() -> None:
    at = world()
    host, job, grant = running(at)
    bring(at, host, grant, {OUT: PICTURE, LOG: TEXT})

    with pytest.raises(NotFound):
        outputs.read(at.ports, BOB, job.id)


def test_a_link_ends_and_a_new_one_is_had_by_asking_again() -> None:
    at = world()
    host, job, grant = running(at)
    host.finish(grant)
    bring(at, host, grant, {OUT: PICTURE, LOG: TEXT})
    old = read(at, job).items[0].url

    at.clock.pass_(seconds=limits.LINK_SECONDS)

    with pytest.raises(LinkSpoilt):
        at.objects.fetch(old)
    assert at.objects.fetch(read(at, job).items[0].url) == PICTURE


def test_outputs_are_removed_after_their_days_and_not_before() -> None:
    at = world()
    host, job, grant = running(at)
    host.finish(grant)
    bring(at, host, grant, {OUT: PICTURE, LOG: TEXT})

    at.sweep(days=limits.OUTPUT_DAYS, seconds=-1)
    before = len(read(at, job).items)
    at.clock.pass_(seconds=1)
    over = read(at, job)
    at.sweep(seconds=1)

    assert before == 2
    assert set(missing(over).values()) == {MissingReason.EXPIRED}
    assert at.objects.kept == {}
    assert at.ports.store.get(schema.OUTPUTS.key(job=job.id, attempt=1)) is None
    assert set(missing(read(at, job)).values()) == {MissingReason.EXPIRED}


def test_a_sweep_that_removed_only_some_is_finished_by_the_next() -> None:
    at = world()
    host, job, grant = running(at)
    bring(at, host, grant, {OUT: PICTURE, LOG: TEXT})
    record = at.ports.store.get(schema.OUTPUTS.key(job=job.id, attempt=1))
    assert record is not None
    at.objects.delete(record.object_keys[0])

    outputs.sweep_outputs(at.ports, record)
    outputs.sweep_outputs(at.ports, record)

    assert at.objects.kept == {}
