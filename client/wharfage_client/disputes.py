"""Payments that a customer wants back past us, as the operator tells of them."""

from collections.abc import Iterator
from typing import TypedDict, cast

from wharfage_client.groups import Group, post


class Dispute(TypedDict):
    """A chargeback or a complaint: what it sets aside, and where it stands."""

    order: str
    id: str
    account: str
    channel: str
    kind: str
    amount_fen: int
    units: int
    state: str
    reason: str
    evidence: str | None
    answer_by: str | None
    opened_at: str
    ended_at: str | None
    version: int


class News(TypedDict, total=False):
    """What a channel says of a dispute. *reference* is its own; no amount is the whole order."""

    reference: str
    reason: str
    state: str
    kind: str
    amount_fen: int
    evidence: str
    answer_by: str


class Disputes(Group):
    """Disputes of every account's orders, for the operator."""

    def newest(self, *, most: int, state: str = "open") -> Iterator[Dispute]:
        """Go through every account's disputes in a state."""
        return self._client.newest("/v1/admin/disputes", most=most, state=state)

    def tell(self, order_id: str, news: News) -> Dispute:
        """Tell what a channel says of a dispute; what is known already changes nothing."""
        call = post(f"/v1/admin/disputes/{order_id}", news, repeatable=True)
        return cast(Dispute, self._client.ask(call))
