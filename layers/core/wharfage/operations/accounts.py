"""Accounts: register, change the password, make the first operator, ban and unban."""

from contextlib import suppress
from datetime import timedelta
from hashlib import sha256

import msgspec

from wharfage.domain import limits, rate
from wharfage.domain.account import (
    Account,
    AccountView,
    DirectoryEntry,
    EmailClaim,
    OperatorCode,
    Principal,
    Role,
    email_faults,
    email_identity,
    masked_view_of,
    password_faults,
    password_too_long,
    view_of,
)
from wharfage.domain.attempt import StopReason
from wharfage.domain.balance import Balance
from wharfage.domain.errors import (
    CodeRejected,
    EmailTaken,
    Forbidden,
    Invalid,
    NotFound,
    StateConflict,
    WrongCredentials,
)
from wharfage.domain.event import Event
from wharfage.domain.membership import zone_of
from wharfage.domain.quotas import DEFAULTS, Quotas, QuotasView
from wharfage.domain.secret import digest, fits
from wharfage.items import change
from wharfage.operations import jobs, rates
from wharfage.ports import Page, Ports
from wharfage.schema import ACCOUNT, DIRECTORY, EMAIL, OPERATOR_CODE, timestamp
from wharfage.transaction import Action, Put, Update, absent, equals

OPERATOR = "operator"  #: The actor of what is done with the one-time code.


def register(ports: Ports, *, email: str, password: str, address: str) -> AccountView:
    """Make a customer's account, with an empty balance. *address* is the caller's network address.

    Raises: Invalid, EmailTaken, RateLimited.
    """
    _require_acceptable(email, password)
    rates.take(ports, rate.REGISTRATIONS, address)
    account = _new(ports, email=email, password=password, role=Role.USER)
    ports.store.commit(*_opening(account), _event(ports, account, "account.registered", account.id))
    return view_of(account)


def show(ports: Ports, who: Principal) -> AccountView:
    """Show the account that is asking. Raises: NotFound."""
    return view_of(_find(ports, who.account))


def set_time_zone(ports: Ports, who: Principal, time_zone: str) -> AccountView:
    """Set the zone that the account's months and days are counted in.

    Raises: Invalid, NotFound, StateConflict.
    """
    account = _find(ports, who.account)
    if account.time_zone == zone_of(time_zone):
        return view_of(account)
    after = msgspec.structs.replace(account, time_zone=time_zone, version=account.version + 1)
    ports.store.commit(
        change(account, after),
        _event(ports, account, "account.time_zone_changed", who.account, time_zone=time_zone),
    )
    return view_of(after)


def change_password(ports: Ports, who: Principal, *, old: str, new: str) -> None:
    """Replace the password and end every session, this one too.

    Raises: WrongCredentials, Invalid, RateLimited, StateConflict.
    """
    account = _find(ports, who.account)
    throttle_sign_in(ports, account.email)
    if not fits_password(ports, account, old):
        raise WrongCredentials
    if faults := password_faults(new, account.email, pointer="/new_password"):
        raise Invalid(faults=tuple(faults))
    after = msgspec.structs.replace(
        account,
        password_hash=ports.passwords.hash(new),
        epoch=account.epoch + 1,
        version=account.version + 1,
    )
    ports.store.commit(
        change(account, after), _event(ports, account, "account.password_changed", who.account)
    )


def open_operator_code(ports: Ports) -> str:
    """Make the one-time code for the first operator; a code made before it is worth nothing.

    Raises: StateConflict, when a code has been used: there is an operator.
    """
    secret = ports.ids.secret()
    expires_at = ports.clock.now() + timedelta(hours=limits.OPERATOR_CODE_HOURS)
    code = OperatorCode(code_hash=digest(secret), expires_at=expires_at)
    ports.store.commit(Put(code, when=[absent("used_at")], otherwise=StateConflict(state="used")))
    return secret


def become_operator(
    ports: Ports, *, code: str, email: str, password: str, address: str
) -> AccountView:
    """Make the account of this e-mail address the operator's, creating it if there is none.

    Raises: CodeRejected, WrongCredentials (there is an account and it has another password),
    Invalid, RateLimited.
    """
    rates.take(ports, rate.OPERATOR_CODES, address)
    row = ports.store.get(OPERATOR_CODE.key())
    now = ports.clock.now()
    if row is None or row.used_at or row.expires_at <= now or not fits(code, row.code_hash):
        raise CodeRejected
    before = by_email(ports, email)
    if before is None:
        _require_acceptable(email, password)
        account = _new(ports, email=email, password=password, role=Role.ADMIN)
        writes = _opening(account)
    else:
        if not fits_password(ports, before, password):
            raise WrongCredentials
        account = msgspec.structs.replace(before, role=Role.ADMIN, version=before.version + 1)
        writes = [change(before, account)]
    ports.store.commit(
        Update(
            OPERATOR_CODE.key(),
            set={"used_at": timestamp(now)},
            when=[equals("code_hash", row.code_hash), absent("used_at")],
            otherwise=CodeRejected(),
        ),
        *writes,
        _event(ports, account, "account.operator_made", OPERATOR),
    )
    return view_of(account)


def find_all(ports: Ports, *, after: str | None, limit: int) -> Page[AccountView]:
    """List accounts, newest first."""
    page = ports.store.query(
        DIRECTORY, "directory", prefix="", after=after, newest_first=True, limit=limit
    )
    rows = ports.store.get_many([ACCOUNT.key(id=entry.account) for entry in page.items])
    return Page(
        tuple(masked_view_of(account) for account in rows if account is not None), page.next
    )


def find_by_email(ports: Ports, email: str) -> Page[AccountView]:
    """List the one account that has this e-mail address, or none."""
    account = by_email(ports, email)
    return Page((masked_view_of(account),) if account else ())


def ban(ports: Ports, who: Principal, account_id: str) -> AccountView:
    """Shut an account out of every session at once, then stop its work. Its money is untouched.

    The ban is committed first and marks the account due, so if this process ends before the work
    is stopped, the sweep stops it. A repeat stops again what is still there.

    Raises: NotFound, Forbidden (oneself), StateConflict.
    """
    account = _other(ports, who, account_id)
    if account.banned_at is None:
        now = ports.clock.now()
        banned = msgspec.structs.replace(
            account,
            banned_at=now,
            due_at=now,
            epoch=account.epoch + 1,
            version=account.version + 1,
        )
        ports.store.commit(
            change(account, banned), _event(ports, account, "account.banned", who.account)
        )
        account = banned
    # Whoever moves the account or its work at this instant leaves it due, or has finished it.
    with suppress(StateConflict):
        finish_ban(ports, account)
    return masked_view_of(_find(ports, account_id))


def finish_ban(ports: Ports, account: Account) -> None:
    """Stop the work of a banned account, then take the account off the sweep's list.

    Raises: StateConflict, when the account has changed meanwhile; Unavailable.
    """
    if account.banned_at is not None:
        jobs.stop_all(ports, account.id, StopReason.SUSPEND)
    if account.due_at is not None:
        # Not under the version: whatever else has changed, this work is done.
        ports.store.commit(
            Update(
                ACCOUNT.key(id=account.id),
                remove=["due_at"],
                add={"version": 1},
                when=[equals("due_at", timestamp(account.due_at))],
            )
        )


def unban(ports: Ports, who: Principal, account_id: str) -> AccountView:
    """Let an account sign in again; its old sessions stay ended. A repeat agrees.

    Raises: NotFound, Forbidden, StateConflict.
    """
    account = _other(ports, who, account_id)
    if account.banned_at is None:
        return masked_view_of(account)
    after = msgspec.structs.replace(
        account, banned_at=None, due_at=None, version=account.version + 1
    )
    ports.store.commit(
        change(account, after), _event(ports, account, "account.unbanned", who.account)
    )
    return masked_view_of(after)


def set_role(ports: Ports, who: Principal, account_id: str, role: Role) -> AccountView:
    """Make an account an operator's or a customer's; in force at its next request.

    Raises: NotFound, Forbidden (oneself), StateConflict.
    """
    account = _other(ports, who, account_id)
    if account.role is role:
        return masked_view_of(account)
    after = msgspec.structs.replace(account, role=role, version=account.version + 1)
    ports.store.commit(
        change(account, after),
        _event(ports, account, "account.role_changed", who.account, role=role.value),
    )
    return masked_view_of(after)


def show_quotas(ports: Ports, account_id: str) -> QuotasView:
    """Show the operator what an account's live work may take. Raises: NotFound."""
    return QuotasView.of(account_id, _find(ports, account_id).quotas)


def set_quotas(ports: Ports, who: Principal, account_id: str, own: Quotas) -> QuotasView:
    """Set what an account's live work may take, whole; in force at its next request.

    What runs already is left alone, also where it is more. Raises: NotFound, StateConflict.
    """
    account = _find(ports, account_id)
    if account.quotas != own:
        after = msgspec.structs.replace(account, quotas=own, version=account.version + 1)
        said = {name: str(own.limit(name)) for name in DEFAULTS}
        ports.store.commit(
            change(account, after),
            _event(ports, account, "account.quotas_set", who.account, **said),
        )
    return QuotasView.of(account_id, own)


def by_email(ports: Ports, email: str) -> Account | None:
    """Find an account by its e-mail address."""
    identity = email_identity(email)
    if not identity or len(identity) > 2 * limits.EMAIL_CHARACTERS_MAX:
        return None
    claim = ports.store.get(EMAIL.key(email=identity))
    return None if claim is None else ports.store.get(ACCOUNT.key(id=claim.account))


def throttle_sign_in(ports: Ports, email: str) -> None:
    """Count a try at a password, before the slow hash. Raises: RateLimited."""
    rates.take(ports, rate.SIGN_INS_TO_ACCOUNT, email_principal(email))


def email_principal(email: str) -> str:
    """Name who is counted for an e-mail address, without the address."""
    return sha256(email_identity(email).encode(errors="surrogatepass")).hexdigest()


def fits_password(ports: Ports, account: Account | None, password: str) -> bool:
    """Tell whether a password is the account's, in the same time if there is no account."""
    if password_too_long(password):
        return False
    return ports.passwords.verify(account.password_hash if account else None, password)


def _require_acceptable(email: str, password: str) -> None:
    if faults := [*email_faults(email), *password_faults(password, email)]:
        raise Invalid(faults=tuple(faults))


def _new(ports: Ports, *, email: str, password: str, role: Role) -> Account:
    return Account(
        id=ports.ids.new("usr"),
        email=email.strip(),
        password_hash=ports.passwords.hash(password),
        role=role,
        epoch=1,
        created_at=ports.clock.now(),
    )


def _opening(account: Account) -> list[Action]:
    """Write everything that an account is made of."""
    claim = EmailClaim(email=email_identity(account.email), account=account.id)
    entry = DirectoryEntry(account=account.id, email=account.email, created_at=account.created_at)
    return [
        Put(claim, when=[absent()], otherwise=EmailTaken()),
        Put(account, when=[absent()]),
        Put(entry, when=[absent()]),
        Put(Balance(account=account.id), when=[absent()]),
    ]


def _find(ports: Ports, account_id: str) -> Account:
    account = ports.store.get(ACCOUNT.key(id=account_id))
    if account is None:
        raise NotFound(what="user")
    return account


def _other(ports: Ports, who: Principal, account_id: str) -> Account:
    """Find an account that the operator may act on: not its own, or nobody could undo it."""
    if account_id == who.account:
        raise Forbidden
    return _find(ports, account_id)


def _event(ports: Ports, account: Account, kind: str, actor: str, **data: str) -> Put:
    event = Event(
        id=ports.ids.new("evt"),
        subject=account.id,
        account=account.id,
        kind=kind,
        at=ports.clock.now(),
        actor=actor,
        data=dict(data),
    )
    return Put(event, when=[absent()], proves=True)
