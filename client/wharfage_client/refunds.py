"""Money that goes back: asked for by who paid, decided on by the operator."""

from collections.abc import Iterator
from typing import TypedDict, cast

from wharfage_client.groups import Group, new_key, post


class Refund(TypedDict):
    """Money of an order on its way back, the units that go with it, and why it did not come."""

    order: str
    id: str
    amount_fen: int
    units: int
    state: str
    origin: str
    reason: str | None
    failure: str | None
    created_at: str
    ended_at: str | None
    version: int


class Refunds(Group):
    """Refunds of orders."""

    def ask(
        self,
        order_id: str,
        *,
        amount_fen: int | None = None,
        reason: str | None = None,
        key: str | None = None,
    ) -> Refund:
        """Ask for a part of an order's money, or for all that is left of it."""
        said = {"amount_fen": amount_fen, "reason": reason}
        body = {name: value for name, value in said.items() if value is not None}
        call = post(f"/v1/orders/{order_id}/refunds", body, key=key or new_key())
        return cast(Refund, self._client.ask(call))

    def of_order(self, order_id: str, *, most: int) -> Iterator[Refund]:
        """Go through the refunds of one of your orders."""
        return self._client.newest(f"/v1/orders/{order_id}/refunds", most=most)

    def newest(self, *, most: int, state: str = "requested") -> Iterator[Refund]:
        """Go through every account's refunds in a state, for the operator."""
        return self._client.newest("/v1/admin/refunds", most=most, state=state)

    def approve(self, refund: Refund) -> Refund:
        """Let it be carried out; a repeat agrees."""
        path = f"/v1/admin/refunds/{refund['order']}/{refund['id']}/approve"
        return cast(Refund, self._client.ask(post(path, None, repeatable=True)))

    def reject(self, refund: Refund, *, reason: str) -> Refund:
        """Refuse it, so that its money is available again; a repeat agrees."""
        path = f"/v1/admin/refunds/{refund['order']}/{refund['id']}/reject"
        return cast(Refund, self._client.ask(post(path, {"reason": reason}, repeatable=True)))
