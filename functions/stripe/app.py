"""Stripe's way in: its notifies."""

from wharfage.domain import rate
from wharfage.web import App, JsonWord, public, take_notify

app = App("stripe")


@app.route("/v1/stripe/notify", methods=["POST"], auth=public(), rates=[rate.NOTIFIES_FORGED])
def notify() -> JsonWord:
    """Take Stripe's notify; a 200 means that it is durable, whether new or repeated."""
    said = take_notify(app, "stripe")
    return JsonWord(said.body.decode(), status=said.status)
