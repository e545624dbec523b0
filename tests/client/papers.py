"""The paper of the played API: usage, statements, invoices, and what the operator does to them."""

from typing import Any

from tests.client.samples import INVOICE, RED_NOTE, STATEMENT, Json


def page(items: list[Json], query: dict[str, str]) -> Json:
    """Cut the part of a list that is asked for."""
    start, limit = int(query.get("cursor", "0")), int(query.get("limit", "20"))
    after = start + limit
    more = str(after) if after < len(items) else None
    return {"items": items[start:after], "next_cursor": more}


class Papers:
    """What the played API has on paper."""

    def __init__(self) -> None:
        self.entries: list[Json] = []
        self.usage_days: list[Json] = []
        self.invoices: list[Json] = [INVOICE]

    def operators_papers(self, rest: list[str], query: dict[str, str]) -> Json | None:
        """List every account's papers in a state; None for what is none."""
        match rest:
            case ["invoices"]:
                found = [each for each in self.invoices if each["state"] == query["state"]]
                return page(found, query)
            case ["red-notes"]:
                return page([RED_NOTE], query)
        return None

    def decided(self, rest: list[str], body: Json) -> Json | None:
        """Show a paper as the operator has decided on it; None for what is none."""
        match rest:
            case ["invoices", _, _, "issue"]:
                return INVOICE | body | {"state": "issued"}
            case ["invoices", _, _, "reject"]:
                return INVOICE | body | {"state": "rejected"}
            case ["red-notes", _, _, "write"]:
                return RED_NOTE | body | {"state": "written"}
        return None

    def _get_statements(self, seen: Any, rest: list[str]) -> Any:
        if rest[1:] == ["entries"]:
            return 200, {}, page(self.entries, seen.query)
        return 200, {}, STATEMENT

    def _get_invoices(self, seen: Any, rest: list[str]) -> Any:
        return 200, {}, page(self.invoices, seen.query)

    def _post_invoices(self, seen: Any, rest: list[str]) -> Any:
        return 201, {}, INVOICE | seen.body
