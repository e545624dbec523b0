"""The API as Python: `client.jobs.submit(...)`, `client.quota.show()`; one Client a server.

Every method raises `errors.WharfageError`. A POST that makes work or money carries an
Idempotency-Key, so that repeating it is safe; a client that wants to repeat it by itself, in
another process, gives its own key.
"""

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol, Self, cast

from wharfage_client.disputes import Disputes
from wharfage_client.errors import LocalError, NotSignedIn
from wharfage_client.groups import Group, new_key, post
from wharfage_client.invoices import Invoices
from wharfage_client.operator import Hosts, Notifies, Reviews, Users
from wharfage_client.refunds import Refunds
from wharfage_client.statements import Statements, Usages
from wharfage_client.transport import Answer, Call, Transport, read
from wharfage_client.uploads import Uploads
from wharfage_client.views import (
    Account,
    Attempt,
    Channel,
    Check,
    Entry,
    Job,
    LogPage,
    LogPart,
    Order,
    Outputs,
    Page,
    Pay,
    Plan,
    Prices,
    Quota,
    Spec,
    Template,
    Tokens,
)

PAGE_MAX = 100
WAIT_SECONDS = 20  #: The longest that the API lets a GET wait.
_PAUSE_MAX_SECONDS = 5.0


class Keeper(Protocol):
    """Whoever keeps the tokens of a session."""

    def access_token(self) -> str | None:
        """Give the access token as it is now."""

    def renew(self, stale: str, refresh: Callable[[str], Tokens]) -> str:
        """Give an access token that is not *stale*, with *refresh* if nobody else has been quicker.

        Raises: LocalError, ApiError.
        """


class FixedToken:
    """A token that was given and cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def access_token(self) -> str | None:
        """Give the token."""
        return self._token

    def renew(self, stale: str, refresh: Callable[[str], Tokens]) -> str:
        """Refuse: only who gave the token can give another. Raises: LocalError."""
        raise LocalError("token_refused")


class Sender(Protocol):
    """What carries a call to the API."""

    url: str

    def send(self, call: Call) -> Answer:
        """Carry out a call. Raises: Unreachable."""

    def pause(self, seconds: float) -> None:
        """Wait, because the API asks for it."""

    def close(self) -> None:
        """Let go of what is held."""


class Client:
    """One server, and who is asking it."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        keeper: Keeper | None = None,
        language: str = "en",
        sender: Sender | None = None,
    ) -> None:
        self._sender = sender or Transport(url, language=language, pause=time.sleep)
        self._keeper = keeper or (FixedToken(token) if token else None)
        self.account = Accounts(self)
        self.jobs = Jobs(self)
        self.uploads = Uploads(self)
        self.orders = Orders(self)
        self.quota = Quotas(self)
        self.templates = Templates(self)
        self.ledger = Ledger(self)
        self.usage = Usages(self)
        self.statements = Statements(self)
        self.invoices = Invoices(self)
        self.hosts = Hosts(self)
        self.users = Users(self)
        self.refunds = Refunds(self)
        self.disputes = Disputes(self)
        self.reviews = Reviews(self)
        self.notifies = Notifies(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._sender.close()

    def open(self, call: Call) -> Any:
        """Make a call that needs nobody to be signed in."""
        return read(self._sender.send(call), self._sender.url)

    def ask(self, call: Call) -> Any:
        """Make a call as the one who is signed in; an access token that has run out is renewed.

        Raises: ApiError, Unreachable, NotTheApi, LocalError.
        """
        token = self._keeper.access_token() if self._keeper else None
        if self._keeper is None or token is None:
            raise LocalError("not_signed_in")
        try:
            return self._asked(call, token)
        except NotSignedIn as refusal:
            try:
                token = self._keeper.renew(token, self.account.refresh)
            except LocalError as error:
                error.request_id = refusal.request_id
                raise
            return self._asked(call, token)

    def get(self, path: str, wait_seconds: int = 0, **query: str | int | None) -> Any:
        """Read from the API; parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        if wait_seconds:
            given["wait"] = wait_seconds
        return self.ask(Call(method="GET", path=path, query=given, wait_seconds=wait_seconds))

    def page(
        self,
        path: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        state: str | None = None,
    ) -> Page[Any]:
        """Read a part of a list, or of those in it that are in one *state*."""
        found = self.get(path, limit=limit, cursor=cursor, state=state)
        return Page(items=list(found["items"]), next_cursor=found.get("next_cursor"))

    def newest(self, path: str, *, most: int, state: str | None = None) -> Iterator[Any]:
        """Read a list, newest first, up to *most* items."""
        cursor: str | None = None
        left = most
        while left > 0:
            found = self.page(path, limit=min(left, PAGE_MAX), cursor=cursor, state=state)
            yield from found.items
            left -= max(1, len(found.items))
            cursor = found.next_cursor
            if cursor is None:
                return

    def _asked(self, call: Call, token: str) -> Any:
        answer = self._sender.send(replace(call, token=token))
        value = read(answer, self._sender.url)
        if call.wait_seconds and answer.retry_after_seconds:
            # Too many are waiting over there, so this one was answered at once.
            self._sender.pause(min(answer.retry_after_seconds, _PAUSE_MAX_SECONDS))
        return value


class Accounts(Group):
    """Register, sign in, sign out, who am I."""

    def register(self, email: str, password: str) -> Account:
        """Make a customer's account."""
        body = {"email": email, "password": password}
        return cast(Account, self._client.open(post("/v1/auth/register", body)))

    def become_operator(self, code: str, email: str, password: str) -> Account:
        """Make this account the first operator's, by the one-time code of the set-up."""
        body = {"code": code, "email": email, "password": password}
        return cast(Account, self._client.open(post("/v1/auth/operator", body)))

    def sign_in(self, email: str, password: str) -> Tokens:
        """Begin a session."""
        body = {"email": email, "password": password}
        return cast(Tokens, self._client.open(post("/v1/auth/login", body)))

    def refresh(self, refresh_token: str) -> Tokens:
        """Change a refresh token for new tokens; it works once, so it is never sent twice."""
        body = {"refresh_token": refresh_token}
        return cast(Tokens, self._client.open(post("/v1/auth/refresh", body)))

    def sign_out(self) -> None:
        """End the session that is asking."""
        self._client.ask(post("/v1/auth/logout", None, repeatable=True))

    def show(self) -> Account:
        """Show who is asking."""
        return cast(Account, self._client.get("/v1/me"))

    def health(self) -> Mapping[str, Any]:
        """Ask the server how it is; nobody needs to be signed in."""
        found = self._client.open(Call(method="GET", path="/v1/health"))
        return cast(Mapping[str, Any], found)


class Jobs(Group):
    """Jobs: run a container to its end, look at it, read its log, stop it."""

    def submit(self, spec: Spec, *, key: str | None = None) -> Job:
        """Submit a job; the same *key* and *spec* again give the same job."""
        return cast(Job, self._client.ask(post("/v1/jobs", spec, key=key or new_key())))

    def get(self, job_id: str, *, wait_seconds: int = 0, version: int | None = None) -> Job:
        """Show a job; with *wait_seconds*, wait for one newer than *version*."""
        return cast(Job, self._client.get(f"/v1/jobs/{job_id}", wait_seconds, version=version))

    def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Job]:
        """List jobs, newest first."""
        return self._client.page("/v1/jobs", limit=limit, cursor=cursor)

    def newest(self, *, most: int) -> Iterator[Job]:
        """Go through the newest jobs."""
        return self._client.newest("/v1/jobs", most=most)

    def attempts(self, job_id: str) -> list[Attempt]:
        """Show every attempt of a job, oldest first."""
        return self._client.page(f"/v1/jobs/{job_id}/attempts").items

    def cancel(self, job_id: str) -> Job:
        """Stop a job; one that has ended stays as it ended, so a repeat is safe."""
        call = post(f"/v1/jobs/{job_id}/cancel", None, repeatable=True)
        return cast(Job, self._client.ask(call))

    def log_page(self, job_id: str, *, cursor: str | None = None, wait_seconds: int = 0) -> LogPage:
        """Read a part of the log; with *wait_seconds*, wait until there is more."""
        page = self._client.get(f"/v1/jobs/{job_id}/logs", wait_seconds, cursor=cursor)
        return LogPage(
            attempt=page["attempt"],
            items=tuple(map(_part, page["items"])),
            next_cursor=page["next_cursor"],
            complete=page["complete"],
            truncated=page["truncated"],
            gap=page["gap"],
        )

    def log_pages(
        self, job_id: str, *, cursor: str | None = None, follow: bool = False
    ) -> Iterator[LogPage]:
        """Read the log to where it is now, or with *follow* to its end."""
        while True:
            wait = WAIT_SECONDS if follow else 0
            page = self.log_page(job_id, cursor=cursor, wait_seconds=wait)
            yield page
            if page.complete or not (follow or page.items):
                return
            cursor = page.next_cursor

    def logs(
        self, job_id: str, *, cursor: str | None = None, follow: bool = False
    ) -> Iterator[LogPart]:
        """Read what the container wrote, in order within each stream."""
        for page in self.log_pages(job_id, cursor=cursor, follow=follow):
            yield from page.items

    def outputs(self, job_id: str, *, wait_seconds: int = 0) -> Outputs:
        """List the files that a job left; with *wait_seconds*, wait until all have come."""
        return cast(Outputs, self._client.get(f"/v1/jobs/{job_id}/outputs", wait_seconds))


class Orders(Group):
    """Orders: opened, paid, looked at."""

    def open(
        self,
        amount_fen: int,
        *,
        channel: str | None = None,
        method: str | None = None,
        key: str | None = None,
    ) -> Order:
        """Open an order for a top-up, paid by *channel* or the first that fits, by *method*."""
        body = {"kind": "topup", "amount_fen": amount_fen}
        return self._open({**body, **_given(channel=channel, method=method)}, key)

    def join(
        self,
        plan: str,
        *,
        channel: str | None = None,
        method: str | None = None,
        key: str | None = None,
    ) -> Order:
        """Open an order for a month of membership, at its plan's price."""
        body = {"kind": "membership", "plan": plan}
        return self._open({**body, **_given(channel=channel, method=method)}, key)

    def channels(self) -> list[Channel]:
        """Show what an order can be paid by, the preferred channel first."""
        found = self._client.open(Call(method="GET", path="/v1/channels"))
        return cast(list[Channel], found["items"])

    def plans(self) -> list[Plan]:
        """Show the memberships that can be bought."""
        return cast(list[Plan], self._client.open(Call(method="GET", path="/v1/plans"))["items"])

    def _open(self, body: Mapping[str, Any], key: str | None) -> Order:
        return cast(Order, self._client.ask(post("/v1/orders", body, key=key or new_key())))

    def pay(self, order_id: str, *, method: str) -> Pay:
        """Ask how to pay it: `page`, `wap`, `app` or `qr`. Asked again, it is the same trade."""
        call = post(f"/v1/orders/{order_id}/pay", {"method": method}, repeatable=True)
        return cast(Pay, self._client.ask(call))

    def get(self, order_id: str, *, wait_seconds: int = 0) -> Order:
        """Show an order; with *wait_seconds*, wait until it is no longer open."""
        return cast(Order, self._client.get(f"/v1/orders/{order_id}", wait_seconds))

    def newest(self, *, most: int) -> Iterator[Order]:
        """Go through the newest orders."""
        return self._client.newest("/v1/orders", most=most)


class Quotas(Group):
    """What an account can spend, and what things cost."""

    def show(self) -> Quota:
        """Show the caller's money."""
        return cast(Quota, self._client.get("/v1/quota"))

    def check(self, spec: Spec) -> Check:
        """Say what a job would hold and cost, without doing anything."""
        return cast(Check, self._client.ask(post("/v1/quota/check", spec, repeatable=True)))

    def prices(self) -> Prices:
        """Show the price list."""
        return cast(Prices, self._client.open(Call(method="GET", path="/v1/prices")))


class Templates(Group):
    """Jobs that the operator prepared."""

    def newest(self, *, most: int) -> Iterator[Template]:
        """Go through the templates, by name."""
        return self._client.newest("/v1/templates", most=most)


class Ledger(Group):
    """Every move of the account's money."""

    def newest(self, *, most: int) -> Iterator[Entry]:
        """Go through the newest entries."""
        return self._client.newest("/v1/ledger", most=most)


def _part(item: Mapping[str, Any]) -> LogPart:
    return LogPart(
        stream=item["stream"],
        offset=item["offset"],
        data=base64.b64decode(item["data"], validate=True),
        received_at=item["received_at"],
    )


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
