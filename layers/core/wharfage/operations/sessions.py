"""Sessions: sign in, stay signed in, sign out; and who is asking, checked at every request."""

from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from wharfage.domain import limits, rate
from wharfage.domain.account import Account, Principal, Session, SessionView, principal_of
from wharfage.domain.errors import (
    Banned,
    NotFound,
    SessionEnded,
    StateConflict,
    Unauthenticated,
    WrongCredentials,
)
from wharfage.domain.event import Event
from wharfage.domain.record import View
from wharfage.domain.secret import digest, fits
from wharfage.items import change
from wharfage.operations import accounts, rates
from wharfage.ports import AccessClaims, Page, Ports
from wharfage.schema import ACCOUNT, SESSION, timestamp
from wharfage.transaction import Check, Put, Update, absent, equals, present

_TOKEN_CHARACTERS_MAX = 256


class Tokens(View, frozen=True, kw_only=True):
    """What a sign-in gives: a short-lived access token, and the refresh token for the next."""

    access_token: str
    token_type: str = "Bearer"
    expires_in: int
    refresh_token: str
    refresh_expires_at: datetime
    account: str
    session: str


def sign_in(ports: Ports, *, email: str, password: str, address: str) -> Tokens:
    """Begin a session. Unknown address and wrong password look and take the same.

    Raises: WrongCredentials, Banned, RateLimited.
    """
    rates.take(ports, rate.SIGN_INS_FROM_ADDRESS, address)
    accounts.throttle_sign_in(ports, email)
    account = accounts.by_email(ports, email)
    if not accounts.fits_password(ports, account, password) or account is None:
        raise WrongCredentials
    if account.banned_at is not None:
        raise Banned
    now = ports.clock.now()
    secret = ports.ids.secret()
    session = Session(
        id=ports.ids.new("ses"),
        account=account.id,
        epoch=account.epoch,
        refresh_hash=digest(secret),
        created_at=now,
        expires_at=now + timedelta(days=limits.SESSION_DAYS),
    )
    ports.store.commit(
        _still(account),
        Put(session, when=[absent()]),
        _event(ports, session, "session.began"),
    )
    return _tokens(ports, session, secret, now)


def refresh(ports: Ports, token: str) -> Tokens:
    """Give new tokens for a refresh token, once. A second use of it ends the session.

    Raises: Unauthenticated, SessionEnded, Banned.
    """
    account_id, session_id, secret = _parts(token)
    account, session = ports.store.get_many(
        [ACCOUNT.key(id=account_id), SESSION.key(account=account_id, id=session_id)]
    )
    now = ports.clock.now()
    _require_live(account, session, now)
    if not fits(secret, session.refresh_hash):
        # Somebody else has used this token, or is using it now: neither can be told from the other.
        _end(ports, session, "session.reuse_detected")
        raise SessionEnded
    next_secret = ports.ids.secret()
    after = msgspec.structs.replace(
        session,
        refresh_hash=digest(next_secret),
        expires_at=now + timedelta(days=limits.SESSION_DAYS),
        version=session.version + 1,
    )
    try:
        ports.store.commit(
            _still(account), change(session, after), _event(ports, session, "session.refreshed")
        )
    except StateConflict:
        # Used twice at one time: the one that came second tells of the reuse.
        _end(ports, session, "session.reuse_detected")
        raise SessionEnded from None
    return _tokens(ports, after, next_secret, now)


def authenticate(ports: Ports, bearer: str) -> Principal:
    """Find out who is asking: one consistent batch read of the account and session rows.

    Raises: Unauthenticated, SessionEnded, Banned.
    """
    now = ports.clock.now()
    claims = ports.access_tokens.read(bearer, now)
    account, session = ports.store.get_many(
        [ACCOUNT.key(id=claims.account), SESSION.key(account=claims.account, id=claims.session)]
    )
    _require_live(account, session, now)
    if claims.epoch < account.epoch:
        raise SessionEnded
    return principal_of(account, session)


def sign_out(ports: Ports, who: Principal) -> None:
    """End the session that is asking. A repeat agrees. Raises: NotFound."""
    revoke(ports, who, who.session)


def revoke(ports: Ports, who: Principal, session_id: str) -> None:
    """End one of the account's sessions; its tokens are refused from the next request on.

    Raises: NotFound.
    """
    session = ports.store.get(SESSION.key(account=who.account, id=session_id))
    if session is None:
        raise NotFound(what="session")
    if session.ended_at is None:
        _end(ports, session, "session.ended")


def find_all(ports: Ports, who: Principal, *, after: str | None, limit: int) -> Page[SessionView]:
    """List the account's live sessions, newest first."""
    page = ports.store.query(SESSION, who.account, after=after, newest_first=True, limit=limit)
    account = ports.store.get(ACCOUNT.key(id=who.account))
    now = ports.clock.now()
    live = [each for each in page.items if account is not None and _live(account, each, now)]
    views = tuple(
        SessionView(
            id=session.id,
            created_at=session.created_at,
            expires_at=session.expires_at,
            current=session.id == who.session,
        )
        for session in live
    )
    return Page(views, page.next)


def _live(account: Account, session: Session, now: datetime) -> bool:
    return session.ended_at is None and now < session.expires_at and session.epoch >= account.epoch


def _require_live(account: Account | None, session: Session | None, now: datetime) -> None:
    """Refuse what a ban, an end or a later epoch has made worthless."""
    if account is None or session is None:
        raise Unauthenticated
    if account.banned_at is not None:
        raise Banned
    if not _live(account, session, now):
        raise SessionEnded


def _still(account: Account) -> Check:
    """Require that no ban and no new password came since the account was read."""
    return Check(
        ACCOUNT.key(id=account.id),
        when=[equals("epoch", account.epoch), absent("banned_at")],
        otherwise=SessionEnded(),
    )


def _end(ports: Ports, session: Session, kind: str) -> None:
    """End a session, whatever its tokens have become meanwhile; one that has ended stays so."""
    with suppress(SessionEnded):
        ports.store.commit(
            Update(
                SESSION.key(account=session.account, id=session.id),
                set={"ended_at": timestamp(ports.clock.now())},
                add={"version": 1},
                when=[present(), absent("ended_at")],
                otherwise=SessionEnded(),
            ),
            _event(ports, session, kind),
        )


def _tokens(ports: Ports, session: Session, secret: str, now: datetime) -> Tokens:
    claims = AccessClaims(
        account=session.account,
        session=session.id,
        epoch=session.epoch,
        expires_at=now + timedelta(seconds=limits.ACCESS_TOKEN_SECONDS),
    )
    return Tokens(
        access_token=ports.access_tokens.issue(claims),
        expires_in=limits.ACCESS_TOKEN_SECONDS,
        refresh_token=f"{session.account}.{session.id}.{secret}",
        refresh_expires_at=session.expires_at,
        account=session.account,
        session=session.id,
    )


def _parts(token: str) -> tuple[str, str, str]:
    parts = token.split(".")
    if len(token) > _TOKEN_CHARACTERS_MAX or len(parts) != 3 or not all(parts):
        raise Unauthenticated
    return parts[0], parts[1], parts[2]


def _event(ports: Ports, session: Session, kind: str) -> Put:
    event = Event(
        id=ports.ids.new("evt"),
        subject=session.account,
        account=session.account,
        kind=kind,
        at=ports.clock.now(),
        actor=session.account,
        data={"session": session.id},
    )
    return Put(event, when=[absent()], proves=True)
