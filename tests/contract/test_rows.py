"""How large rows and messages can get: every field at its largest, in bytes as DynamoDB counts."""

import math
from datetime import UTC, datetime

import msgspec
import pytest

from tests.fixtures.work import SPEC as WORK
from tests.fixtures.work import world
from wharfage import items
from wharfage.adapters.changes import check_value
from wharfage.adapters.ids import RandomIds
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState, ReasonClass, ReasonCode, StopReason
from wharfage.domain.host import Host, HostStatus, Room
from wharfage.domain.job import Job, SpecRecord
from wharfage.domain.job_view import show
from wharfage.domain.price import PriceList, Resources
from wharfage.domain.record import Record
from wharfage.domain.spec import JobSpec, OnHostLost, Priority, Retry, RetryRule
from wharfage.messages import Doorbell, Grant, Id, Nudge

KB = 1024
JOB_BYTES_MAX = 4 * KB
SPEC_BYTES_MAX = 300 * KB
HOST_BYTES_MAX = KB
SECONDS_MAX = limits.RUN_SECONDS_MAX
ANSWER_BYTES_MAX = 6 * KB * KB  #: What Lambda answers with at most.
WORD_BYTES = limits.COMMAND_BYTES_MAX // 2 // limits.COMMAND_WORDS_MAX
NOW = datetime(2026, 3, 1, 12, 0, 0, 999_000, tzinfo=UTC)
ids = RandomIds()

STATE = max(AttemptState, key=len)
REASON = max(ReasonCode, key=len)
REASON_CLASS = max(ReasonClass, key=len)
STOP = max(StopReason, key=len)

RESOURCES = Resources(
    cpu_millis=limits.CPU_MILLIS_MAX - 1,
    memory_mb=limits.MEMORY_MB_MAX - 1,
    disk_mb=limits.DISK_MB_MAX - 1,
)
LABELS = {f"{place:x}".rjust(63, "n"): "v" * 63 for place in range(10, 10 + limits.LABELS_MAX)}
RULE = RetryRule(
    exit_codes=(255,) * 16,
    reasons=(REASON,) * 8,
)
RETRY = Retry(
    max_attempts=limits.ATTEMPTS_MAX,
    rules=(RULE,) * limits.RETRY_RULES_MAX,
    backoff_base_s=limits.BACKOFF_SECONDS_MAX,
    backoff_factor=10,
    backoff_cap_s=limits.BACKOFF_SECONDS_MAX,
)
SPEC = JobSpec(
    image="i" * limits.IMAGE_CHARACTERS_MAX,
    command=("c" * WORD_BYTES,) * limits.COMMAND_WORDS_MAX,
    entrypoint=("e" * WORD_BYTES,) * limits.COMMAND_WORDS_MAX,
    env={
        f"{place}".rjust(128, "N"): "v" * (limits.ENV_BYTES_MAX // limits.ENV_VARIABLES_MAX - 128)
        for place in range(100, 100 + limits.ENV_VARIABLES_MAX)
    },
    resources=RESOURCES,
    max_run_s=SECONDS_MAX,
    queue_ttl_s=limits.QUEUE_SECONDS_MAX,
    stop_grace_s=limits.STOP_GRACE_SECONDS_MAX,
    labels=LABELS,
    pool="p" * 32,
    priority=Priority.NORMAL,
    retry=RETRY,
    on_host_lost=OnHostLost.RERUN,
    max_cost_fen=limits.TOPUP_FEN_MAX,
)


def id_of(prefix: str) -> str:
    return ids.new(prefix)


def full_job() -> Job:
    return Job(
        id=id_of("job"), account=id_of("usr"), pool=SPEC.pool, image=SPEC.image,
        priority=SPEC.priority, resources=RESOURCES, labels=LABELS, retry=RETRY,
        on_host_lost=SPEC.on_host_lost, max_run_s=SECONDS_MAX, queue_ttl_s=SECONDS_MAX,
        stop_grace_s=limits.STOP_GRACE_SECONDS_MAX,
        price=PriceList(version="2026-11-30.1", vcpu_hour_fen=99_999, gb_hour_fen=99_999),
        hold=id_of("hld"), hold_fen=9_999_999, hold_units=999_999, period=NOW,
        template="t" * 63, template_version=999_999, cost_units=999_999,
        max_cost_fen=limits.TOPUP_FEN_MAX - 1,
        created_at=NOW, state=STATE,
        attempt=9999, user_attempts=limits.ATTEMPTS_MAX,
        platform_faults=limits.PLATFORM_FAULTS_MAX, queued_at=NOW, ready_at=NOW, due_at=NOW,
        host=id_of("hst"), boot="bot_" + "z" * 60, claim_id=id_of("clm"), claimed_at=NOW,
        started_at=NOW, stop_reason=STOP, stop_asked_at=NOW, seq=2**53,
        image_digest="sha256:" + "f" * 64, cost_fen=99_999_999, ended_at=NOW,
        reason_code=REASON, reason_class=REASON_CLASS, exit_code=255, signal=64,
        oom=True, version=99_999,
    )  # fmt: skip


def full_host() -> Host:
    room = Room(slots=9_999, cpu_millis=9_999_999, memory_mb=99_999_999, disk_mb=999_999_999)
    return Host(
        id=id_of("hst"), pool="p" * 32, status=HostStatus.QUARANTINED, token_hash="f" * 64,
        created_at=NOW, next_token_hash="f" * 64, token_since=NOW, boot="bot_" + "z" * 60,
        boot_newest="bot_" + "z" * 60, lease_until=NOW, seen_at=NOW, due_at=NOW, claims=10**9,
        wanted=10**9, free=room, agent_version="v" * 32, drain_by=NOW, problem="p" * 64,
    )  # fmt: skip


def size(record: Record) -> int:
    """Count an item's bytes as DynamoDB does: names and values, with its keys."""
    _, item = items.encode(record)
    return sum(len(name.encode()) + check_value(value) for name, value in item.items())


@pytest.mark.parametrize("record", [full_job(), full_host()], ids=["job", "host"])
def test_every_field_is_filled_so_that_a_new_one_is_counted_too(record: Record) -> None:
    assert None not in [getattr(record, name) for name in record.__struct_fields__]


def test_the_specification_measured_is_the_largest_that_is_accepted() -> None:
    SPEC.check(frozenset({"docker.io"}))

    read = msgspec.json.decode(msgspec.json.encode(SPEC), type=JobSpec)

    assert read == SPEC


def test_the_state_row_of_a_job_stays_under_four_kilobytes() -> None:
    assert size(full_job()) < JOB_BYTES_MAX


def test_the_row_of_a_specification_stays_under_three_hundred_kilobytes() -> None:
    record = SpecRecord(job=id_of("job"), spec=SPEC)

    assert size(record) < SPEC_BYTES_MAX


def test_the_state_row_of_a_host_stays_under_one_kilobyte() -> None:
    assert size(full_host()) < HOST_BYTES_MAX


@pytest.mark.parametrize(
    "message",
    [
        Doorbell(
            account="usr_" + "z" * 60, job="job_" + "z" * 60, attempt=9999,
            traceparent="00-" + "f" * 32 + "-" + "f" * 16 + "-01",
        ),
        Nudge(host="hst_" + "z" * 60),
    ],
    ids=["doorbell", "nudge"],
)  # fmt: skip
def test_what_is_sent_to_a_queue_stays_under_one_kilobyte(message: msgspec.Struct) -> None:
    assert len(msgspec.json.encode(message)) < limits.DOORBELL_BYTES_MAX


@pytest.mark.parametrize("message", [Doorbell, Nudge])
def test_what_is_sent_to_a_queue_carries_only_ids(message: type[msgspec.Struct]) -> None:
    others = {field.name for field in msgspec.structs.fields(message) if field.type is not Id}

    assert others <= {"attempt", "traceparent"}


def test_the_largest_answer_to_a_claim_fits_what_a_function_may_answer() -> None:
    """A claim ends once its answer is large, and one more body is all that can come on top."""
    others = Grant(
        account=id_of("usr"), job=id_of("job"), attempt=1, claim_id=id_of("clm"),
        lease_seconds=60, spec=JobSpec(image="a"), max_run_s=SECONDS_MAX,
        image_digest="sha256:" + "f" * 64, log_cap_bytes=limits.LOG_CAP_BYTES,
        preparing_seconds=900, starting_seconds=120,
    )  # fmt: skip
    frame = limits.CLAIMS_MAX * len(msgspec.json.encode(others))

    assert limits.CLAIM_ANSWER_BYTES + limits.BODY_BYTES_MAX + frame < ANSWER_BYTES_MAX


def test_a_claim_ends_once_its_answer_is_large() -> None:
    """A control character is one byte in a row, and six in JSON."""
    at = world(money_fen=10_000)
    value = "\x01" * (limits.ENV_VALUE_BYTES_MAX - 1)
    env = {"A": value, "B": value}
    large = msgspec.structs.replace(WORK, env=env, command=("\x01" * limits.COMMAND_BYTES_MAX,))
    heard = [at.submit(large) for _ in range(limits.CLAIMS_MAX)]
    free = Room(slots=10, cpu_millis=64_000, memory_mb=64_000, disk_mb=64_000)
    assert len(msgspec.json.encode(large)) < limits.BODY_BYTES_MAX

    reply = at.host(capacity=free).claim(*heard, free=free)

    assert 1 <= len(reply.grants) < limits.CLAIMS_MAX
    assert reply.more
    assert len(msgspec.json.encode(reply)) < ANSWER_BYTES_MAX


def test_a_part_of_a_log_and_a_page_of_it_fit_what_a_function_may_answer() -> None:
    in_base64 = math.ceil(limits.LOG_ANSWER_BYTES_MAX / 3) * 4

    assert in_base64 < ANSWER_BYTES_MAX
    assert limits.LOGS_BODY_BYTES_MAX >= limits.LOG_CHUNKS_MAX * limits.LOG_CHUNK_BYTES * 4 / 3


def test_a_page_of_the_largest_jobs_fits_what_a_function_may_answer() -> None:
    assert len(msgspec.json.encode(show(full_job()))) * limits.PAGE_MAX < ANSWER_BYTES_MAX
