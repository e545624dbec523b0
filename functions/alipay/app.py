"""Alipay's way in: its notifies, and buyers who come back from paying."""

from wharfage.domain import rate
from wharfage.web import App, Html, Word, greet_buyer, public, take_notify

app = App("alipay")


@app.route("/v1/alipay/notify", methods=["POST"], auth=public(), rates=[rate.NOTIFIES_FORGED])
def notify() -> Word:
    """Take Alipay's notify; `success` means that it is durable, whether new or repeated."""
    said = take_notify(app, "alipay")
    return Word(said.body.decode(), status=said.status)


@app.route("/v1/alipay/return", methods=["GET"], auth=public())
def come_back(query: dict[str, str]) -> Html:
    """Greet a buyer who comes back. It proves nothing; Alipay is asked about the order."""
    order = query.get("out_trade_no", "")
    return greet_buyer(app, order, chinese="支付宝", english="Alipay")
