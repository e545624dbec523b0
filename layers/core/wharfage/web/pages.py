"""Small pages for people: one look, light or dark, and nothing asked of anybody else."""

from base64 import b64encode
from hashlib import sha256
from html import escape

_STYLE = (
    ":root{color-scheme:light dark;--card:#fff;--ground:#f0f4fa;--ink:#1f2329;--soft:#667085}"
    "@media(prefers-color-scheme:dark)"
    "{:root{--card:#1b1f27;--ground:#101319;--ink:#f2f4f7;--soft:#98a2b3}}"
    "*{box-sizing:border-box}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;"
    "background:var(--ground);color:var(--ink);"
    'font:16px/1.6 system-ui,"PingFang SC","Microsoft YaHei",sans-serif}'
    "main{width:min(32rem,100%);background:var(--card);border-radius:1rem;padding:2rem;"
    "box-shadow:0 8px 30px rgb(16 24 40/12%)}"
    "h1{margin:0 0 1rem;font-size:1.4rem;line-height:1.3}"
    "h1 small{display:block;font-size:1rem;font-weight:400;color:var(--soft)}"
    "p{margin:.75rem 0 0}"
)
_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()

STYLE_SOURCE = f"'sha256-{_DIGEST}'"  #: What a Content-Security-Policy allows for a page's look.


def page(title: str, body: str) -> str:
    """Put a page together. *body* is HTML; what is not English in it says so by `lang`."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )
