"""Uploads are announced, brought, used by jobs, and removed in time; limits before and after."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
import pytest

from tests.fixtures.money import ALICE, BOB
from tests.fixtures.objects import LinkSpoilt, sha256
from tests.fixtures.work import SPEC, World, small, world
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.errors import (
    Banned,
    Invalid,
    KeyReused,
    LimitReached,
    NotFound,
    RateLimited,
    Refused,
)
from wharfage.domain.spec import JobSpec
from wharfage.domain.upload import Upload, UploadRequest
from wharfage.operations import jobs, uploads
from wharfage.transaction import Put, Update, present


def using(**files: str) -> JobSpec:
    return msgspec.structs.replace(SPEC, files=files)


def row(at: World, upload_id: str) -> Upload | None:
    return at.ports.store.get(schema.UPLOAD.key(account=ALICE.account, id=upload_id))


def live(at: World) -> int:
    count = at.ports.store.get(schema.UPLOAD_COUNT.key(account=ALICE.account))
    return count.live if count else 0


def faults(refusal: pytest.ExceptionInfo[Invalid]) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in refusal.value.faults]


def test_a_file_is_announced_sent_and_used() -> None:
    at = world()

    upload = at.bring(b"a picture")
    job = at.submit(using(picture=upload))

    grant = at.host().take(job)
    [file] = grant.files
    assert (file.name, file.size_bytes, file.sha256) == ("picture", 9, sha256(b"a picture"))
    assert at.objects.fetch(file.url) == b"a picture"


def test_the_same_key_and_body_give_the_same_upload_and_another_body_is_refused() -> None:
    at = world()

    first = at.announce(b"a", key="k")
    again = at.announce(b"a", key="k")

    assert (again.id, live(at)) == (first.id, 1)
    with pytest.raises(KeyReused):
        at.announce(b"b", key="k")


def test_an_upload_is_shown_to_its_owner_with_a_new_link_and_to_nobody_else() -> None:
    at = world()
    made = at.announce(b"a")
    at.clock.pass_(seconds=limits.LINK_SECONDS)
    with pytest.raises(LinkSpoilt):
        at.objects.send(made.url, [b"a"])

    shown = uploads.find(at.ports, ALICE, made.id)

    at.objects.send(shown.url, [b"a"])
    with pytest.raises(NotFound):
        uploads.find(at.ports, BOB, made.id)


def test_a_job_with_somebody_elses_upload_or_one_that_is_not_there_is_refused_alike() -> None:
    at = world()
    asked = UploadRequest(size_bytes=1, sha256=sha256(b"a"))
    alice = at.ports.store.get(schema.ACCOUNT.key(id=ALICE.account))
    assert alice is not None
    at.ports.store.commit(Put(msgspec.structs.replace(alice, id=BOB.account)))
    theirs = uploads.create(at.ports, BOB, asked, key=None).value
    at.objects.send(theirs.url, [b"a"])

    with pytest.raises(NotFound) as others:
        at.submit(using(a=theirs.id))
    with pytest.raises(NotFound) as nobodys:
        at.submit(using(a="upl_nobody"))

    assert others.value.facts == nobodys.value.facts == {"what": "upload"}
    assert at.money()[1] == 0


@pytest.mark.parametrize("sent", [None, b"other bytes"])
def test_a_job_with_a_file_that_is_not_what_was_announced_is_refused(sent: bytes | None) -> None:
    at = world()
    made = at.announce(b"the bytes")
    if sent is not None:
        at.objects.kept[f"uploads/{ALICE.account}/{made.id}"] = sent

    with pytest.raises(Invalid) as refusal:
        at.submit(using(a=made.id))

    assert faults(refusal) == [("/files/a", "upload_incomplete")]
    assert at.money()[1] == 0


def test_a_link_takes_the_announced_bytes_as_often_as_they_come_and_no_others() -> None:
    at = world()
    made = at.announce(b"abc")

    at.objects.send(made.url, [b"a", b"bc"])
    at.objects.send(made.url, [b"abc"])
    for wrong in (b"ab", b"abcd", b"abd", b""):
        with pytest.raises(LinkSpoilt):
            at.objects.send(made.url, [wrong])

    assert at.submit(using(a=made.id)).status == "queued"


def test_an_upload_may_be_as_large_as_the_limit_and_not_larger() -> None:
    def asked(size: int) -> UploadRequest:
        return msgspec.convert({"size_bytes": size, "sha256": "0" * 64}, UploadRequest)

    assert asked(0).size_bytes == 0
    assert asked(limits.UPLOAD_BYTES_MAX).size_bytes == limits.UPLOAD_BYTES_MAX
    for size in (-1, limits.UPLOAD_BYTES_MAX + 1):
        with pytest.raises(msgspec.ValidationError):
            asked(size)


@pytest.mark.parametrize("digest", ["0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n"])
def test_a_checksum_is_64_characters_of_lower_case_hexadecimal(digest: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"size_bytes": 1, "sha256": digest}, UploadRequest)


def test_input_and_files_may_fill_the_volume_and_not_more() -> None:
    at = world()
    given = {"a": 1}
    fits = at.bring(bytes(1024 * 1024 - len(b'{"a":1}')))
    over = at.bring(bytes(1024 * 1024 - len(b'{"a":1}') + 1))
    spec = msgspec.structs.replace(SPEC, input=given, resources=small(disk_mb=1))

    at.submit(msgspec.structs.replace(spec, files={"a": fits}))
    with pytest.raises(Invalid) as refusal:
        at.submit(msgspec.structs.replace(spec, files={"a": over}))

    assert faults(refusal) == [("/files", "too_large")]


def test_an_account_can_have_as_many_uploads_as_the_limit_also_when_asked_at_once() -> None:
    at = world()
    for _ in range(limits.UPLOADS_MAX - 2):
        at.announce(b"a")
        at.clock.pass_(seconds=2)

    def announce(_: int) -> str:
        try:
            return at.announce(b"a").id
        except Refused as refusal:
            return refusal.code

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(announce, range(8)))

    assert sorted(each[:4] for each in made) == ["limi"] * 6 + ["upl_"] * 2
    assert live(at) == limits.UPLOADS_MAX
    with pytest.raises(LimitReached) as refusal:
        at.announce(b"a")
    assert refusal.value.limit_name == "uploads"


def test_more_uploads_a_minute_than_the_rate_are_refused() -> None:
    at = world()
    for _ in range(limits.UPLOADS_PER_MINUTE):
        at.announce(b"a")

    with pytest.raises(RateLimited):
        at.announce(b"a")


def test_a_banned_account_brings_nothing() -> None:
    at = world()
    moment = schema.timestamp(at.clock.now())
    at.ports.store.commit(
        Update(schema.ACCOUNT.key(id=ALICE.account), set={"banned_at": moment}, when=[present()])
    )

    with pytest.raises(Banned):
        at.announce(b"a")


def test_an_upload_that_no_job_uses_is_removed_after_its_hours_and_not_before() -> None:
    at = world()
    unused = at.bring(b"a")

    at.sweep(hours=limits.UPLOAD_HOURS, seconds=-1)
    before = row(at, unused)
    at.sweep(seconds=1)
    at.sweep()

    assert before is not None
    assert row(at, unused) is None
    assert (at.objects.kept, live(at)) == ({}, 0)
    with pytest.raises(NotFound):
        at.submit(using(a=unused))


def test_an_upload_that_a_job_may_still_need_stays() -> None:
    at = world()
    upload = at.bring(b"a")
    spec = msgspec.structs.replace(using(a=upload), queue_ttl_s=3 * 24 * 3600)
    job = at.submit(spec)

    at.sweep(days=2)

    [file] = at.host().take(job).files
    assert at.objects.fetch(file.url) == b"a"
    at.sweep(days=28)
    assert row(at, upload) is None


def test_no_upload_stays_longer_than_the_limit_however_long_its_jobs_may_last() -> None:
    at = world(money_fen=1_000_000)
    upload = at.bring(b"a")
    week = 7 * 24 * 3600

    at.submit(msgspec.structs.replace(using(a=upload), queue_ttl_s=week, max_run_s=week))

    kept = row(at, upload)
    assert kept is not None
    assert kept.expires_at == kept.created_at + timedelta(days=limits.UPLOAD_DAYS_MAX)


def test_the_same_job_submitted_again_after_its_upload_has_gone_is_the_same_job() -> None:
    at = world()
    upload = at.bring(b"a")
    spec = using(a=upload)
    job = jobs.submit(at.ports, ALICE, spec, key="k").value
    at.sweep(days=3)
    assert row(at, upload) is None

    again = jobs.submit(at.ports, ALICE, spec, key="k")

    assert (again.value.id, again.replayed) == (job.id, True)
    with pytest.raises(KeyReused):
        jobs.submit(at.ports, ALICE, using(b=upload), key="k")
    with pytest.raises(NotFound):
        jobs.submit(at.ports, ALICE, spec, key="another")


def test_jobs_that_take_up_the_same_upload_at_once_are_all_admitted() -> None:
    at = world(money_fen=10_000)
    upload = at.bring(b"a")

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: at.submit(using(a=upload, b=upload)), range(4)))

    assert len({job.id for job in made}) == 4


def test_a_sweep_that_comes_while_a_job_takes_the_upload_up_leaves_it() -> None:
    at = world()
    upload = at.bring(b"a")
    at.clock.pass_(hours=limits.UPLOAD_HOURS, seconds=-1)
    read_before = row(at, upload)
    assert read_before is not None
    at.submit(using(a=upload))

    with pytest.raises(Refused):
        uploads.sweep_upload(at.ports, read_before)

    assert row(at, upload) is not None
    assert at.objects.kept


def test_a_sweep_that_could_not_remove_the_bytes_counts_the_upload_once() -> None:
    at = world()
    at.bring(b"a")
    kept = at.bring(b"b")
    gone = row(at, kept)
    assert gone is not None

    uploads.sweep_upload(at.ports, gone)
    with pytest.raises(Refused):
        uploads.sweep_upload(at.ports, gone)

    assert live(at) == 1
