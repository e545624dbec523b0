"""Uploads: an account brings a file by a link, its jobs use it, and in time it is removed."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from wharfage.domain import limits, rate
from wharfage.domain.account import Principal
from wharfage.domain.errors import Banned, Invalid, LimitReached, NotFound, StateConflict
from wharfage.domain.job import InputFile, latest_end
from wharfage.domain.link import ObjectHead
from wharfage.domain.spec import JobSpec
from wharfage.domain.upload import (
    Upload,
    UploadCount,
    UploadRequest,
    UploadView,
    as_input,
    begin,
    incomplete,
    kept,
    object_key,
    over_disk,
    show,
)
from wharfage.items import change, merge
from wharfage.messages import GivenFile
from wharfage.operations import keys, rates
from wharfage.operations.keys import Made
from wharfage.ports import Ports
from wharfage.schema import ACCOUNT, UPLOAD, UPLOAD_COUNT
from wharfage.transaction import (
    Check,
    Delete,
    Put,
    Update,
    absent,
    at_least,
    below,
    equals,
    present,
)

_TRIES = 4  #: How often uploads are read anew because another job took one up meanwhile.


def create(
    ports: Ports, who: Principal, asked: UploadRequest, *, key: str | None
) -> Made[UploadView]:
    """Make room for a file, and a link to send it by.

    Raises: RateLimited, LimitReached, Banned, KeyReused.
    """
    now = ports.clock.now()
    ports.store.commit(rates.count(rate.UPLOADS, who.account, now=now))
    upload = begin(asked, upload_id=ports.ids.new("upl"), account=who.account, now=now)
    request = keys.Request(who=who, operation="uploads.create", key=key, body=asked)
    try:
        ports.store.commit(
            *keys.record(request, object_id=upload.id, now=now),
            Check(
                ACCOUNT.key(id=who.account),
                when=[present(), absent("banned_at")],
                otherwise=Banned(),
            ),
            _one_more(who.account),
            Put(upload, when=[absent()], proves=True),
        )
    except keys.Replay as replay:
        return Made(value=_show(ports, _own(ports, who, replay.object_id)), replayed=True)
    return Made(value=_show(ports, upload))


def find(ports: Ports, who: Principal, upload_id: str) -> UploadView:
    """Show an upload to its owner, with a new link. Raises: NotFound."""
    return _show(ports, _own(ports, who, upload_id))


def take_up(ports: Ports, request: keys.Request, spec: JobSpec) -> tuple[InputFile, ...]:
    """See that all files of a job are whole, and keep them for as long as it can last.

    Raises: NotFound (also for what belongs to others), Invalid, Unavailable; keys.Replay when
    they have gone since this very request made its job.
    """
    if not spec.files:
        return ()
    try:
        return _taken(ports, request.who, spec)
    except (NotFound, Invalid):
        if (made := keys.made_before(ports, request)) is not None:
            raise keys.Replay(made) from None
        raise


def for_host(ports: Ports, account: str, files: Iterable[InputFile]) -> tuple[GivenFile, ...]:
    """Say where a host fetches the files of its claim."""
    return tuple(
        GivenFile(
            name=file.name,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            url=ports.objects.get_link(
                object_key(account, file.upload),
                name=file.name,
                seconds=limits.INPUT_LINK_SECONDS,
            ).url,
        )
        for file in files
    )


def sweep_upload(ports: Ports, upload: Upload) -> None:
    """Remove an upload whose time is over: first its row, so that no job can take it up."""
    ports.store.commit(
        Delete(
            UPLOAD.key(account=upload.account, id=upload.id),
            when=[equals("version", upload.version)],
        ),
        Update(
            UPLOAD_COUNT.key(account=upload.account),
            add={"live": -1},
            when=[at_least("live", 1)],
        ),
    )
    ports.objects.delete(upload.object_key)


def _own(ports: Ports, who: Principal, upload_id: str) -> Upload:
    upload = ports.store.get(UPLOAD.key(account=who.account, id=upload_id))
    if upload is None:
        raise NotFound(what="upload")
    return upload


def _show(ports: Ports, upload: Upload) -> UploadView:
    link = ports.objects.put_link(
        upload.object_key,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256,
        seconds=limits.LINK_SECONDS,
    )
    return show(upload, link)


def _one_more(account: str) -> Update:
    """Count one upload; the commit raises LimitReached when the account has all it may have."""
    counted = merge(UploadCount(account=account), without=("live",))
    most = limits.UPLOADS_MAX
    return Update(
        counted.key,
        set=counted.set,
        add={"live": 1},
        when=[below("live", most)],
        otherwise=LimitReached(limit_name="uploads", limit=most, used=most, asked=1),
    )


def _taken(ports: Ports, who: Principal, spec: JobSpec) -> tuple[InputFile, ...]:
    for _ in range(_TRIES):
        uploads = _named(ports, who, spec)
        files = tuple(as_input(name, uploads[each]) for name, each in spec.files.items())
        _check(ports, spec, uploads, files)
        with suppress(StateConflict):  # Another job took one of them up just now.
            _keep(ports, uploads.values(), latest_end(spec, ports.clock.now()))
            return files
    raise StateConflict(state="moving")


def _named(ports: Ports, who: Principal, spec: JobSpec) -> dict[str, Upload]:
    """Read a job's uploads, each once though it may be named twice. Raises: NotFound."""
    ids = list(dict.fromkeys(spec.files.values()))
    found: list[Upload | None] = ports.store.get_many(
        [UPLOAD.key(account=who.account, id=each) for each in ids]
    )
    now = ports.clock.now()
    uploads = {each.id: each for each in found if each is not None and each.expires_at > now}
    if len(uploads) < len(ids):
        raise NotFound(what="upload")
    return uploads


def _check(
    ports: Ports, spec: JobSpec, uploads: dict[str, Upload], files: tuple[InputFile, ...]
) -> None:
    """Raises: Invalid, Unavailable."""
    whole = {each.id: _whole(ports, each) for each in uploads.values()}
    faults = [incomplete(name) for name, each in spec.files.items() if not whole[each]]
    if (too_much := over_disk(spec, files)) is not None:
        faults.append(too_much)
    if faults:
        raise Invalid(faults=tuple(faults))


def _whole(ports: Ports, upload: Upload) -> bool:
    if upload.completed_at is not None:
        return True
    expected = ObjectHead(size_bytes=upload.size_bytes, sha256=upload.sha256)
    return ports.objects.head(upload.object_key) == expected


def _keep(ports: Ports, uploads: Iterable[Upload], until: datetime) -> None:
    """Write down that they are there, and needed until then. Raises: StateConflict."""
    now = ports.clock.now()
    ports.store.commit(*(change(each, kept(each, until, now)) for each in uploads))
