"""What the edge serves about itself: the OpenAPI document, and a page for every error code."""

import re
from html import escape
from importlib.resources import files

from wharfage.domain.errors import NotFound
from wharfage.web import problems
from wharfage.web.pages import page


def openapi() -> str:
    """Return the OpenAPI document of all functions, as it was generated and committed."""
    return files("wharfage.web").joinpath("openapi.json").read_text()


def error_page(code: str) -> str:
    """Explain one error code, in English and Chinese. Raises: NotFound."""
    for refusal, row in problems.TABLE.items():
        if refusal.code == code:
            meaning = (refusal.__doc__ or "").strip()
            return page(
                code,
                f"<h1><code>{escape(code)}</code> ({row.status})</h1>"
                f"<p><strong>{escape(row.title)}.</strong> {escape(meaning)}</p>"
                f"<p>{_advice(row.advice)}</p>"
                f'<div lang="zh"><p><strong>{escape(row.title_zh)}。</strong></p>'
                f"<p>{_advice(row.advice_zh)}</p></div>",
            )
    raise NotFound(what="error")


def _advice(text: str) -> str:
    """Write advice with the names of what each refusal fills in."""
    return re.sub(r"\{(\w+)\}", r"<var>\1</var>", escape(text))
