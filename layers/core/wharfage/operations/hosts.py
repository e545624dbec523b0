"""Hosts, as the operator sees them: enrolment codes, the fleet, drain and revoke."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from wharfage.domain import limits
from wharfage.domain.account import Principal
from wharfage.domain.attempt import StopReason
from wharfage.domain.errors import NotFound, PoolUnknown, StateConflict, Unauthenticated
from wharfage.domain.host import EnrolmentCode, HostPrincipal, HostStatus, Watch
from wharfage.domain.host_view import CodeView, HostView, show
from wharfage.domain.placement import FleetView
from wharfage.domain.secret import digest, fits
from wharfage.operations import assignments
from wharfage.ports import Page, Ports
from wharfage.schema import FACTS, FLEET, HOST, WATCH, timestamp
from wharfage.transaction import Delete, Put, Update, absent, one_of, present

_OPERABLE = (HostStatus.ENROLLED, HostStatus.READY, HostStatus.DRAINING, HostStatus.DRAINED)


def issue_code(ports: Ports, who: Principal, *, pool: str, labels: Mapping[str, str]) -> CodeView:
    """Make a one-time code that lets one machine become a host of *pool*.

    Raises: PoolUnknown.
    """
    if pool not in ports.terms.pools:
        raise PoolUnknown(pool=pool)
    now = ports.clock.now()
    secret = ports.ids.secret()
    code = EnrolmentCode(
        code_hash=digest(secret),
        pool=pool,
        labels=dict(labels),
        created_by=who.account,
        created_at=now,
        expires_at=now + timedelta(minutes=limits.ENROLMENT_MINUTES),
    )
    ports.store.commit(Put(code, when=[absent()], proves=True))
    return CodeView(code=secret, pool=pool, labels=code.labels, expires_at=code.expires_at)


def authenticate(ports: Ports, bearer: str) -> HostPrincipal:
    """Find out which host is asking, in one read. The token is `<host id>.<secret>`.

    Raises: Unauthenticated.
    """
    host_id, _, secret = bearer.partition(".")
    host, facts, watch = ports.store.get_many(
        [HOST.key(id=host_id), FACTS.key(id=host_id), WATCH.key(name="watch")]
    )
    if host is None or facts is None or host.status is HostStatus.REVOKED:
        raise Unauthenticated
    renewed = fits(secret, host.next_token_hash)
    if not (renewed or fits(secret, host.token_hash)):
        raise Unauthenticated
    return HostPrincipal(host=host, facts=facts, watch=watch or Watch(), renewed=renewed)


def find_all(ports: Ports, *, after: str | None, limit: int) -> Page[HostView]:
    """List the fleet, newest first."""
    page = ports.store.query(FLEET, "fleet", prefix="", after=after, newest_first=True, limit=limit)
    now = ports.clock.now()
    views = [show(member, now) for member in _read(ports, [each.id for each in page.items])]
    return Page(tuple(views), page.next)


def find(ports: Ports, host_id: str) -> HostView:
    """Show one host. Raises: NotFound."""
    members = _read(ports, [host_id])
    if not members:
        raise NotFound(what="host")
    return show(members[0], ports.clock.now())


def fleet(ports: Ports, pool: str) -> list[FleetView]:
    """Read every host of a pool, as placement sees it."""
    ids: list[str] = []
    after: str | None = None
    while True:
        page = ports.store.query(FLEET, "fleet", prefix="", after=after, limit=limits.PAGE_MAX)
        ids += [member.id for member in page.items if member.pool == pool]
        after = page.next
        if after is None:
            return _read(ports, ids)


def drain(ports: Ports, host_id: str, *, deadline_seconds: int) -> HostView:
    """Let a host finish what it runs and take nothing new; at the deadline the rest goes back.

    Raises: NotFound, StateConflict.
    """
    by = ports.clock.now() + timedelta(seconds=deadline_seconds)
    _set_status(ports, host_id, HostStatus.DRAINING, drain_by=by)
    ports.queue.nudge(host_id)
    return find(ports, host_id)


def undrain(ports: Ports, host_id: str) -> HostView:
    """Let a draining host take work again. Raises: NotFound, StateConflict."""
    _set_status(ports, host_id, HostStatus.READY, drain_by=None)
    return find(ports, host_id)


def revoke(ports: Ports, host_id: str) -> None:
    """Make a host's token worthless and give its work to others. A repeat agrees.

    Raises: NotFound.
    """
    ports.store.commit(
        Update(
            HOST.key(id=host_id),
            set={"status": HostStatus.REVOKED.value, "due_at": timestamp(ports.clock.now())},
            remove=["boot", "lease_until"],
            when=[present()],
            otherwise=NotFound(what="host"),
        ),
        Delete(FLEET.key(id=host_id)),
    )
    ports.queue.close_mailbox(host_id)
    assignments.give_up(ports, host_id, boot=None, spare=assignments.spare_none)


def stop_for_drain(ports: Ports, host_id: str) -> None:
    """Hand back what a draining host still runs at its deadline."""
    for assignment in assignments.of_host(ports, host_id):
        assignments.ask_to_stop(ports, assignment, StopReason.DRAIN, actor="control")
    ports.queue.nudge(host_id)


def _set_status(
    ports: Ports, host_id: str, status: HostStatus, *, drain_by: datetime | None
) -> None:
    ports.store.commit(
        Update(
            HOST.key(id=host_id),
            set={"status": status.value} | ({"drain_by": timestamp(drain_by)} if drain_by else {}),
            add={"wanted": 1},
            remove=[] if drain_by else ["drain_by"],
            when=[present(), one_of("status", [each.value for each in _OPERABLE])],
            otherwise=lambda item: (
                StateConflict(state=item["status"]) if item else NotFound(what="host")
            ),
        )
    )


def _read(ports: Ports, ids: list[str]) -> list[FleetView]:
    members = []
    for start in range(0, len(ids), limits.PAGE_MAX // 2):
        part = ids[start : start + limits.PAGE_MAX // 2]
        keys = [*(HOST.key(id=each) for each in part), *(FACTS.key(id=each) for each in part)]
        rows = ports.store.get_many(keys)
        for host, facts in zip(rows[: len(part)], rows[len(part) :], strict=True):
            if host is not None and facts is not None:
                members.append(FleetView(host=host, facts=facts))
    return members
