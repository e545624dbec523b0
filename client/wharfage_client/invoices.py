"""The API's invoices: asked for, and what the operator does with them."""

from collections.abc import Iterator
from typing import TypedDict, cast

from wharfage_client.groups import Group, post


class InvoiceLine(TypedDict):
    """What is invoiced of one order."""

    order: str
    amount_fen: int


class Invoice(TypedDict):
    """A month's payments, as a fapiao is written for them."""

    id: str
    account: str
    month: str
    title: str
    tax_number: str | None
    lines: list[InvoiceLine]
    amount_fen: int
    state: str
    created_at: str
    number: str | None
    reason: str | None
    decided_at: str | None
    reduced_fen: int
    version: int


class RedNote(TypedDict):
    """What is to be taken off a fapiao, because it went back."""

    id: str
    account: str
    invoice: str
    invoice_number: str
    amount_fen: int
    state: str
    created_at: str
    number: str | None
    written_at: str | None
    version: int


class Invoices(Group):
    """Invoices; what names an account or a state is for the operator."""

    def ask(self, month: str, *, title: str, tax_number: str | None) -> Invoice:
        """Ask for a month's fapiao; asked again, it is the same, so a repeat is safe."""
        body = {"month": month, "title": title, "tax_number": tax_number}
        return cast(Invoice, self._client.ask(post("/v1/invoices", body, repeatable=True)))

    def newest(self, *, most: int) -> Iterator[Invoice]:
        """Go through the newest invoices of the account that asks."""
        return self._client.newest("/v1/invoices", most=most)

    def in_state(self, state: str, *, most: int) -> Iterator[Invoice]:
        """Go through every account's invoices in a state."""
        return self._client.newest("/v1/admin/invoices", most=most, state=state)

    def issue(self, account: str, invoice_id: str, *, number: str) -> Invoice:
        """Note the number of the fapiao that was written."""
        path = f"/v1/admin/invoices/{account}/{invoice_id}/issue"
        return cast(Invoice, self._client.ask(post(path, {"number": number}, repeatable=True)))

    def reject(self, account: str, invoice_id: str, *, reason: str) -> Invoice:
        """Refuse an invoice that waits."""
        path = f"/v1/admin/invoices/{account}/{invoice_id}/reject"
        return cast(Invoice, self._client.ask(post(path, {"reason": reason}, repeatable=True)))

    def red_notes(self, state: str, *, most: int) -> Iterator[RedNote]:
        """Go through every account's red-letter notes in a state."""
        return self._client.newest("/v1/admin/red-notes", most=most, state=state)

    def write_red_note(self, account: str, note_id: str, *, number: str) -> RedNote:
        """Note the number of the red-letter note that was written."""
        path = f"/v1/admin/red-notes/{account}/{note_id}/write"
        return cast(RedNote, self._client.ask(post(path, {"number": number}, repeatable=True)))
