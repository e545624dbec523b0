"""The operator's parts of the API: the fleet, the accounts, flagged orders, notifies."""

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, cast

from wharfage_client.groups import Group, post
from wharfage_client.transport import Call
from wharfage_client.views import Account, Code, Host


class Standing(TypedDict):
    """How an account stands; each open dispute keeps it frozen."""

    account: str
    state: str
    debt_fen: int
    disputes: int
    frozen_at: str | None
    suspended_at: str | None


class OwnQuotas(TypedDict):
    """What an account's live work may take: what was set for it, and what is in force."""

    account: str
    own: dict[str, int | None]
    in_force: dict[str, int]


class Flagged(TypedDict):
    """An order that a rule has flagged, and where the operator's look at it stands."""

    id: str
    account: str
    amount_fen: int
    state: str
    rule: str
    review: str
    created_at: str
    expires_at: str
    decided_at: str | None
    decided_by: str | None
    version: int


class Inspection(TypedDict):
    """What would become of a notify: the *step* it fails, or what it would do."""

    believed: bool
    step: str | None
    why: str | None
    order: str | None
    news: str | None
    credited: bool


class Hosts(Group):
    """The fleet, for the operator."""

    def newest(self, *, most: int) -> Iterator[Host]:
        """Go through the fleet."""
        return self._client.newest("/v1/hosts", most=most)

    def issue_code(self, *, pool: str, labels: Mapping[str, str]) -> Code:
        """Make a one-time code that enrols one machine."""
        body = {"pool": pool, "labels": dict(labels)}
        return cast(Code, self._client.ask(post("/v1/hosts/codes", body)))

    def drain(self, host_id: str, *, deadline_seconds: int) -> Host:
        """Let a host finish what it runs and take nothing new."""
        body = {"deadline_s": deadline_seconds}
        return cast(Host, self._client.ask(post(f"/v1/hosts/{host_id}/drain", body)))

    def undrain(self, host_id: str) -> Host:
        """Let a draining host take work again."""
        return cast(Host, self._client.ask(post(f"/v1/hosts/{host_id}/undrain", None)))

    def revoke(self, host_id: str) -> None:
        """Make a host's token worthless and give its work to others; a repeat agrees."""
        self._client.ask(post(f"/v1/hosts/{host_id}/revoke", None, repeatable=True))


class Users(Group):
    """Accounts, for the operator."""

    def newest(self, *, most: int) -> Iterator[Account]:
        """Go through the newest accounts."""
        return self._client.newest("/v1/admin/users", most=most)

    def by_email(self, email: str) -> Account | None:
        """Find the account that has this e-mail address."""
        items = self._client.get("/v1/admin/users", email=email)["items"]
        return cast(Account, items[0]) if items else None

    def ban(self, account_id: str) -> Account:
        """Shut an account out and stop its work; a repeat agrees."""
        call = post(f"/v1/admin/users/{account_id}/ban", None, repeatable=True)
        return cast(Account, self._client.ask(call))

    def unban(self, account_id: str) -> Account:
        """Let an account sign in again; a repeat agrees."""
        call = post(f"/v1/admin/users/{account_id}/unban", None, repeatable=True)
        return cast(Account, self._client.ask(call))

    def freeze(self, account_id: str, *, reason: str) -> Standing:
        """Freeze an account's money: no new work is started; a repeat agrees."""
        return self._stand(f"/v1/admin/users/{account_id}/freeze", reason)

    def unfreeze(self, account_id: str, *, reason: str) -> Standing:
        """Let an account use its money again; a repeat agrees."""
        return self._stand(f"/v1/admin/users/{account_id}/unfreeze", reason)

    def quotas(self, account_id: str) -> OwnQuotas:
        """Show what an account's live work may take."""
        return cast(OwnQuotas, self._client.get(f"/v1/admin/users/{account_id}/quotas"))

    def set_quotas(self, account_id: str, own: Mapping[str, int | None]) -> OwnQuotas:
        """Set what it may take, whole: what is left out is the default."""
        path = f"/v1/admin/users/{account_id}/quotas"
        call = Call(method="PUT", path=path, body=own, repeatable=True)
        return cast(OwnQuotas, self._client.ask(call))

    def _stand(self, path: str, reason: str) -> Standing:
        return cast(Standing, self._client.ask(post(path, {"reason": reason}, repeatable=True)))


class Reviews(Group):
    """Orders that the rules have flagged."""

    def newest(self, *, most: int) -> Iterator[Flagged]:
        """Go through the newest of them."""
        return self._client.newest("/v1/admin/reviews", most=most)

    def approve(self, order_id: str) -> Flagged:
        """Let one be paid; a repeat agrees."""
        call = post(f"/v1/admin/reviews/{order_id}/approve", None, repeatable=True)
        return cast(Flagged, self._client.ask(call))

    def refuse(self, order_id: str) -> Flagged:
        """Close one; a repeat agrees."""
        call = post(f"/v1/admin/reviews/{order_id}/refuse", None, repeatable=True)
        return cast(Flagged, self._client.ask(call))


class Notifies(Group):
    """What channels tell us."""

    def inspect(self, notify: Mapping[str, Any]) -> Inspection:
        """Have one judged as it would be if it came now; nothing is changed."""
        call = post("/v1/admin/notifies/inspect", notify, repeatable=True)
        return cast(Inspection, self._client.ask(call))
