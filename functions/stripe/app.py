"""Stripe's way in: its notifies, and buyers who come back from paying."""

from wharfage.domain import rate
from wharfage.web import App, Html, JsonWord, greet_buyer, public, take_notify

app = App("stripe")


@app.route("/v1/stripe/notify", methods=["POST"], auth=public(), rates=[rate.NOTIFIES_FORGED])
def notify() -> JsonWord:
    """Take Stripe's notify; a 200 means that it is durable, whether new or repeated."""
    said = take_notify(app, "stripe")
    return JsonWord(said.body.decode(), status=said.status)


@app.route("/v1/stripe/return", methods=["GET"], auth=public())
def come_back(query: dict[str, str]) -> Html:
    """Greet a buyer who comes back. It proves nothing; Stripe is asked about the order."""
    return greet_buyer(app, query.get("order", ""), chinese="Stripe ", english="Stripe")
