"""Buyers who come back from paying: greeted alike whatever they bring, for it proves nothing."""

from wharfage.operations import payments
from wharfage.web.answers import Html
from wharfage.web.app import App

_PAGE = (
    '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<title>Wharfage</title></head><body><main>"
    "<h1>正在确认付款 · Confirming your payment</h1>"
    "<p>若您已付款，{chinese}确认后余额即会更新。您可以关闭此页面。</p>"
    '<p lang="en">If you have paid, your balance changes once {english} confirms.'
    " You can close this page.</p>"
    "</main></body></html>"
)


def greet(app: App, order: str, *, chinese: str, english: str) -> Html:
    """Have the channel, by its names, asked about an order that may be none; greet the buyer."""
    payments.hasten(app.ports, order)
    return Html(_PAGE.format(chinese=chinese, english=english))
