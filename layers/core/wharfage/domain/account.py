"""Accounts, sessions, and who is asking."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from wharfage.domain import limits, masking
from wharfage.domain.errors import Fault
from wharfage.domain.membership import DEFAULT_ZONE
from wharfage.domain.quotas import NONE_SET, Quotas
from wharfage.domain.record import Record, View

_PASSWORD_DIFFERENT_MIN = 4
_LABEL = r"[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?"
_EMAIL = re.compile(rf"[^@\s\"(),:;<>\[\\\]]{{1,64}}@(?:{_LABEL}\.)+{_LABEL}")


class Role(StrEnum):
    """What an account may do beyond its own things."""

    USER = "user"  #: A customer.
    ADMIN = "admin"  #: The operator.


class Account(Record, frozen=True, kw_only=True):
    """A customer or an operator. Whatever was made under a lower *epoch* is refused."""

    id: str
    email: str
    password_hash: str
    role: Role
    epoch: int
    created_at: datetime
    banned_at: datetime | None = None
    pools: tuple[str, ...] = ()  #: Pools granted beside `default`.
    quotas: Quotas = NONE_SET
    time_zone: str = DEFAULT_ZONE  #: In which its months and days are counted.
    due_at: datetime | None = None  #: Set while a ban's account still has work to be stopped.
    version: int = 1


class EmailClaim(Record, frozen=True, kw_only=True):
    """Makes an e-mail address, whatever its upper and lower case, belong to one account."""

    email: str
    account: str


class DirectoryEntry(Record, frozen=True, kw_only=True):
    """Lists an account for the operator; all entries live in one partition."""

    account: str
    email: str
    created_at: datetime


class Session(Record, frozen=True, kw_only=True):
    """One sign-in: its refresh token rotates, and a second use of an old one ends it."""

    id: str
    account: str
    epoch: int
    refresh_hash: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    version: int = 1


class KeyRecord(Record, frozen=True, kw_only=True):
    """What an idempotency key made, and from which body."""

    account: str
    operation: str
    key: str
    body_hash: str
    object_id: str
    created_at: datetime


class AccountView(View, frozen=True, kw_only=True):
    """An account as its owner sees it; to the operator the e-mail address is masked."""

    id: str
    email: str
    role: Role
    created_at: datetime
    banned_at: datetime | None
    pools: tuple[str, ...]
    time_zone: str
    version: int


class SessionView(View, frozen=True, kw_only=True):
    """A sign-in as its owner sees it; *current* is the one that is asking."""

    id: str
    created_at: datetime
    expires_at: datetime
    current: bool


class OperatorCode(Record, frozen=True, kw_only=True):
    """The one-time code that makes the first operator."""

    code_hash: str
    expires_at: datetime
    used_at: datetime | None = None


class RateWindow(Record, frozen=True, kw_only=True):
    """How often a principal did an action in one fixed window."""

    action: str
    principal: str
    window: str
    count: int
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who is asking, as the request's own rows say it now."""

    account: str
    session: str
    role: Role
    pools: frozenset[str] = frozenset()
    quotas: Quotas = NONE_SET
    time_zone: str = DEFAULT_ZONE

    def may_use(self, pool: str) -> bool:
        """Tell whether this account's work may go to *pool*."""
        return pool == "default" or pool in self.pools


def principal_of(account: Account, session: Session) -> Principal:
    """Name who is asking from the rows that were read for this request."""
    return Principal(
        account=account.id,
        session=session.id,
        role=account.role,
        pools=frozenset(_granted(account.pools)),
        quotas=account.quotas,
        time_zone=account.time_zone,
    )


def view_of(account: Account) -> AccountView:
    """Show an account."""
    return AccountView(
        id=account.id,
        email=account.email,
        role=account.role,
        created_at=account.created_at,
        banned_at=account.banned_at,
        pools=tuple(_granted(account.pools)),
        time_zone=account.time_zone,
        version=account.version,
    )


def masked_view_of(account: Account) -> AccountView:
    """Show an account to somebody whose it is not, the operator included."""
    return replace(view_of(account), email=masking.email(account.email))


def email_identity(email: str) -> str:
    """Return what two spellings of one e-mail address have in common."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email.strip()).casefold())


def email_faults(email: str) -> list[Fault]:
    """Say what is wrong with a new account's e-mail address."""
    text = unicodedata.normalize("NFC", email.strip())
    # Controls, directions, surrogates and unassigned characters only serve to deceive.
    hidden = any(unicodedata.category(character)[0] == "C" for character in text)
    # Lower case can be longer ("ﬃ" becomes "ffi"), and by that the account is found.
    characters = max(len(text), len(email_identity(text)))
    if characters <= limits.EMAIL_CHARACTERS_MAX and not hidden and _EMAIL.fullmatch(text):
        return []
    return [Fault(pointer="/email", code="email", message="This is not an e-mail address.")]


def password_faults(password: str, email: str, *, pointer: str = "/password") -> list[Fault]:
    """Say what is wrong with a new password. Its length counts, not its kinds of characters."""
    text = unicodedata.normalize("NFC", password)
    if len(text) < limits.PASSWORD_CHARACTERS_MIN:
        message = f"At least {limits.PASSWORD_CHARACTERS_MIN} characters."
    elif password_too_long(text):
        message = f"At most {limits.PASSWORD_BYTES_MAX} bytes."
    elif len(set(text)) < _PASSWORD_DIFFERENT_MIN:
        message = f"At least {_PASSWORD_DIFFERENT_MIN} different characters."
    elif email_identity(text) == email_identity(email):
        message = "Not the e-mail address."
    else:
        return []
    return [Fault(pointer=pointer, code="password", message=message)]


def password_too_long(password: str) -> bool:
    """Tell whether a password is longer than any that can have been set."""
    return len(password.encode(errors="surrogatepass")) > limits.PASSWORD_BYTES_MAX


def _granted(pools: Iterable[str]) -> Iterable[str]:
    return ("default", *pools)
