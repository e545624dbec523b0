"""Who may call a route: declared with the route, checked before its view runs."""

from dataclasses import dataclass
from enum import StrEnum

from wharfage.domain.account import Role


class Scheme(StrEnum):
    """How the caller shows who it is."""

    NONE = "none"  #: Not at all.
    SESSION = "session"  #: Bearer access token of a signed-in account.
    HOST = "host"  #: Bearer token of an enrolled host.


@dataclass(frozen=True, kw_only=True, slots=True)
class Auth:
    """A route's declaration: how callers show who they are, and the role they need."""

    scheme: Scheme
    role: Role | None = None


def public() -> Auth:
    """Let anybody call it."""
    return Auth(scheme=Scheme.NONE)


def signed_in() -> Auth:
    """Let every signed-in account call it; the view finds it as `app.principal`."""
    return Auth(scheme=Scheme.SESSION)


def admin() -> Auth:
    """Let the operator call it."""
    return Auth(scheme=Scheme.SESSION, role=Role.ADMIN)


def agent() -> Auth:
    """Let enrolled hosts call it; the view finds the host as `app.host`."""
    return Auth(scheme=Scheme.HOST)
