"""Alipay's way in: its notifies, and buyers who come back from paying."""

from wharfage.domain import rate
from wharfage.operations import payments
from wharfage.web import App, Html, Word, public, take_notify

app = App("alipay")

BACK = (
    '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<title>Wharfage</title></head><body><main>"
    "<h1>正在确认付款 · Confirming your payment</h1>"
    "<p>支付宝确认后余额即会更新，您可以关闭此页面。</p>"
    '<p lang="en">Your balance changes once Alipay confirms. You can close this page.</p>'
    "</main></body></html>"
)


@app.route("/v1/alipay/notify", methods=["POST"], auth=public(), rates=[rate.NOTIFIES_FORGED])
def notify() -> Word:
    """Take Alipay's notify; `success` means that it is durable, whether new or repeated."""
    said = take_notify(app, "alipay")
    return Word(said.body.decode(), status=said.status)


@app.route("/v1/alipay/return", methods=["GET"], auth=public())
def come_back(query: dict[str, str]) -> Html:
    """Greet a buyer who comes back. It proves nothing; Alipay is asked about the order."""
    payments.hasten(app.ports, query.get("out_trade_no", ""))
    return Html(BACK)
