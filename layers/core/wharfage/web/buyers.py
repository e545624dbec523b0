"""Buyers who come back from paying: greeted alike whatever they bring, for it proves nothing."""

from wharfage.operations import payments
from wharfage.web.answers import Html
from wharfage.web.app import App
from wharfage.web.pages import page


def greet(app: App, order: str, *, chinese: str, english: str) -> Html:
    """Have the channel, by its names, asked about an order that may be none; greet the buyer."""
    payments.hasten(app.ports, order)
    return Html(
        page(
            "Wharfage",
            '<h1 lang="zh">正在确认付款<small lang="en">Confirming your payment</small></h1>'
            f'<p lang="zh">若您已付款，{chinese}确认后余额即会更新。您可以关闭此页面。</p>'
            f"<p>If you have paid, your balance changes once {english} confirms."
            " You can close this page.</p>",
        )
    )
