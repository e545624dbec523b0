"""Accounts and sessions: register, sign in, who am I; the operator's users; health and OpenAPI."""

from typing import Annotated

from msgspec import Meta

from wharfage.domain import limits, rate
from wharfage.domain.account import AccountView, Role, SessionView
from wharfage.domain.quotas import Quotas, QuotasView
from wharfage.domain.record import Body
from wharfage.operations import accounts, health, sessions
from wharfage.operations.health import Health
from wharfage.operations.sessions import Tokens
from wharfage.web import (
    App,
    Created,
    Html,
    Json,
    Limit,
    Listing,
    NoContent,
    admin,
    documents,
    public,
    signed_in,
)

app = App("auth")

Secret = Annotated[str, Meta(max_length=limits.CREDENTIAL_BYTES_MAX)]
Email = Annotated[str, Meta(max_length=2 * limits.EMAIL_CHARACTERS_MAX)]


class Credentials(Body, frozen=True, kw_only=True):
    """An e-mail address and its password."""

    email: Email
    password: Secret


class RefreshRequest(Body, frozen=True, kw_only=True):
    """The refresh token of the last sign-in or refresh; it works once."""

    refresh_token: Secret


class PasswordChange(Body, frozen=True, kw_only=True):
    """The password as it is, and as it shall be."""

    old_password: Secret
    new_password: Secret


class OperatorRequest(Body, frozen=True, kw_only=True):
    """The one-time code, and the account that becomes the operator's."""

    code: Secret
    email: Email
    password: Secret


class AccountChange(Body, frozen=True, kw_only=True):
    """What you can change of your own account: the time zone that its months are counted in."""

    time_zone: Annotated[str, Meta(min_length=1, max_length=64)]


class RoleChange(Body, frozen=True, kw_only=True):
    """What an account shall be."""

    role: Role


@app.route(
    "/v1/auth/register",
    methods=["POST"],
    auth=public(),
    body_bytes_max=limits.CREDENTIAL_BYTES_MAX,
    rates=[rate.REGISTRATIONS],
)
def register(body: Credentials) -> Created[AccountView]:
    """Make a customer's account, with an empty balance."""
    account = accounts.register(
        app.ports, email=body.email, password=body.password, address=app.request.source_ip
    )
    return Created(account, location="/v1/me")


@app.route(
    "/v1/auth/login",
    methods=["POST"],
    auth=public(),
    body_bytes_max=limits.CREDENTIAL_BYTES_MAX,
    rates=[rate.SIGN_INS_FROM_ADDRESS, rate.SIGN_INS_TO_ACCOUNT],
)
def login(body: Credentials) -> Tokens:
    """Begin a session: an access token for 15 minutes, a refresh token for the next."""
    return sessions.sign_in(
        app.ports, email=body.email, password=body.password, address=app.request.source_ip
    )


@app.route(
    "/v1/auth/refresh", methods=["POST"], auth=public(), body_bytes_max=limits.CREDENTIAL_BYTES_MAX
)
def refresh(body: RefreshRequest) -> Tokens:
    """Change a refresh token for new tokens. Using one twice ends its session."""
    return sessions.refresh(app.ports, body.refresh_token)


@app.route("/v1/auth/logout", methods=["POST"], auth=signed_in())
def logout() -> NoContent:
    """End the session that is asking."""
    sessions.sign_out(app.ports, app.principal)
    return NoContent()


@app.route(
    "/v1/auth/password",
    methods=["POST"],
    auth=signed_in(),
    body_bytes_max=limits.CREDENTIAL_BYTES_MAX,
    rates=[rate.SIGN_INS_TO_ACCOUNT],
)
def change_password(body: PasswordChange) -> NoContent:
    """Replace the password; every session ends, this one too."""
    accounts.change_password(app.ports, app.principal, old=body.old_password, new=body.new_password)
    return NoContent()


@app.route(
    "/v1/auth/operator",
    methods=["POST"],
    auth=public(),
    body_bytes_max=limits.CREDENTIAL_BYTES_MAX,
    rates=[rate.OPERATOR_CODES],
)
def become_operator(body: OperatorRequest) -> Created[AccountView]:
    """Make an account the first operator's, by the one-time code of the set-up."""
    account = accounts.become_operator(
        app.ports,
        code=body.code,
        email=body.email,
        password=body.password,
        address=app.request.source_ip,
    )
    return Created(account, location="/v1/me")


@app.route("/v1/me", methods=["GET"], auth=signed_in())
def show_me() -> AccountView:
    """Show the account that is asking."""
    return accounts.show(app.ports, app.principal)


@app.route("/v1/me", methods=["PATCH"], auth=signed_in())
def change_me(body: AccountChange) -> AccountView:
    """Set the time zone of memberships to come; one that runs keeps its own."""
    return accounts.set_time_zone(app.ports, app.principal, body.time_zone)


@app.route("/v1/me/sessions", methods=["GET"], auth=signed_in())
def list_sessions(
    limit: Limit = limits.PAGE_DEFAULT, cursor: str | None = None
) -> Listing[SessionView]:
    """List the account's live sessions, newest first."""
    page = sessions.find_all(app.ports, app.principal, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/me/sessions/{session_id}", methods=["DELETE"], auth=signed_in())
def revoke_session(session_id: str) -> NoContent:
    """End one of the account's sessions."""
    sessions.revoke(app.ports, app.principal, session_id)
    return NoContent()


@app.route("/v1/admin/users", methods=["GET"], auth=admin())
def list_users(
    email: Email | None = None, limit: Limit = limits.PAGE_DEFAULT, cursor: str | None = None
) -> Listing[AccountView]:
    """List accounts, newest first, or the one with this e-mail address."""
    if email is not None:
        page = accounts.find_by_email(app.ports, email)
    else:
        page = accounts.find_all(app.ports, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/admin/users/{user_id}/ban", methods=["POST"], auth=admin())
def ban(user_id: str) -> AccountView:
    """Shut an account out at once and stop its work; its money is untouched."""
    return accounts.ban(app.ports, app.principal, user_id)


@app.route("/v1/admin/users/{user_id}/unban", methods=["POST"], auth=admin())
def unban(user_id: str) -> AccountView:
    """Let an account sign in again."""
    return accounts.unban(app.ports, app.principal, user_id)


@app.route("/v1/admin/users/{user_id}/role", methods=["POST"], auth=admin())
def set_role(user_id: str, body: RoleChange) -> AccountView:
    """Make an account an operator's or a customer's."""
    return accounts.set_role(app.ports, app.principal, user_id, body.role)


@app.route("/v1/admin/users/{user_id}/quotas", methods=["GET"], auth=admin())
def show_quotas(user_id: str) -> QuotasView:
    """Show what an account's live work may take."""
    return accounts.show_quotas(app.ports, user_id)


@app.route("/v1/admin/users/{user_id}/quotas", methods=["PUT"], auth=admin())
def set_quotas(user_id: str, body: Quotas) -> QuotasView:
    """Set what an account's live work may take, whole: what is left out is the default."""
    return accounts.set_quotas(app.ports, app.principal, user_id, body)


@app.route("/v1/health", methods=["GET"], auth=public())
def show_health() -> Health:
    """Say what the product depends on and how it is."""
    return health.check(app.ports)


@app.route("/v1/openapi.json", methods=["GET"], auth=public())
def show_openapi() -> Json:
    """Give the OpenAPI 3.1 document of every route."""
    return Json(documents.openapi())


@app.route("/v1/errors/{code}", methods=["GET"], auth=public())
def show_error(code: str) -> Html:
    """Explain an error code: the page that a problem's `type` names."""
    return Html(documents.error_page(code))
