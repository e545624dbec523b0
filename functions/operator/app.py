"""The operator's one-time code, for whoever may invoke functions of this AWS account; no route."""

from typing import Any

from wharfage.operations import accounts
from wharfage.web import App

app = App("operator")


def open_code(_event: Any, _context: Any) -> dict[str, str]:
    """Make the code; one made before is worth nothing, and after the first use there is none."""
    return {"code": accounts.open_operator_code(app.ports)}
