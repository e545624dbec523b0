"""WeChat Pay's way in: its notifies."""

from wharfage.domain import rate
from wharfage.web import App, JsonWord, public, take_notify

app = App("wechat")


@app.route("/v1/wechat/notify", methods=["POST"], auth=public(), rates=[rate.NOTIFIES_FORGED])
def notify() -> JsonWord:
    """Take WeChat Pay's notify; a 200 means that it is durable, whether new or repeated."""
    said = take_notify(app, "wechat")
    return JsonWord(said.body.decode(), status=said.status)
