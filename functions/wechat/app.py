"""WeChat Pay's way in: its notifies, and buyers who come back from paying."""

from wharfage.domain import rate
from wharfage.web import App, Html, JsonWord, greet_buyer, public, take_notify

app = App("wechat")


@app.route("/v1/wechat/notify", methods=["POST"], auth=public(), rates=[rate.NOTIFIES_FORGED])
def notify() -> JsonWord:
    """Take WeChat Pay's notify; a 200 means that it is durable, whether new or repeated."""
    said = take_notify(app, "wechat")
    return JsonWord(said.body.decode(), status=said.status)


@app.route("/v1/wechat/return", methods=["GET"], auth=public())
def come_back(query: dict[str, str]) -> Html:
    """Greet a buyer who comes back. It proves nothing; WeChat Pay is asked about the order."""
    return greet_buyer(app, query.get("order", ""), chinese="微信支付", english="WeChat Pay")
