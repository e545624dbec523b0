"""The sandboxes of the payment channels: one process, and what the gateway has to know of it."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.keys import Keys
from infrastructure.local.ports import LOOPBACK
from infrastructure.local.process import Command, environment
from infrastructure.local.registry import answers
from infrastructure.setup.layout import ROOT

APP_ID = "2021000000000000"
SELLER_ID = "2088000000000000"
ALIPAY = {"app_id": APP_ID, "seller_id": SELLER_ID}
WECHAT = {
    "app_id": "wx0000000000000000",
    "merchant_id": "1900000000",
    "serial": "7A" * 20,
    "public_key_id": "PUB_KEY_ID_0000000000",
}
STRIPE_ACCOUNT = "acct_0000000000000000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandboxes:
    """Alipay, WeChat Pay and Stripe, each on a port of its own; their states are in *folder*."""

    folder: Path
    keys: Keys
    alipay_port: int
    wechat_port: int
    stripe_port: int
    api_url: str

    @property
    def alipay_url(self) -> str:
        """Where Alipay is."""
        return f"http://{LOOPBACK}:{self.alipay_port}"

    @property
    def wechat_url(self) -> str:
        """Where WeChat Pay is."""
        return f"http://{LOOPBACK}:{self.wechat_port}"

    @property
    def stripe_url(self) -> str:
        """Where Stripe is."""
        return f"http://{LOOPBACK}:{self.stripe_port}"

    def command(self) -> Command:
        """Give the process that plays them."""
        ports = (self.alipay_port, self.wechat_port, self.stripe_port)
        return Command(
            name="sandbox",
            argv=(sys.executable, "-m", "infrastructure.local.sandbox", str(self._file)),
            cwd=ROOT,
            env=environment(),
            ready=lambda: all(answers(port, "/control/health") for port in ports),
            before_start=self._describe,
        )

    def environ(self) -> dict[str, str]:
        """Give the gateway's settings of the channels; Alipay is the first choice."""
        keys = self.keys
        return {
            **{f"ALIPAY_{name.upper()}": value for name, value in ALIPAY.items()},
            "ALIPAY_GATEWAY": f"{self.alipay_url}/gateway.do",
            "ALIPAY_APP_PRIVATE_KEY_FILE": str(keys.app_private),
            "ALIPAY_PUBLIC_KEY_FILE": str(keys.sandbox_public),
            **{f"WECHAT_{name.upper()}": value for name, value in WECHAT.items()},
            "WECHAT_GATEWAY": self.wechat_url,
            "WECHAT_PRIVATE_KEY_FILE": str(keys.app_private),
            "WECHAT_PUBLIC_KEY_FILE": str(keys.wechat_public),
            "WECHAT_V3_KEY_FILE": str(keys.wechat_v3_key),
            "WECHAT_METHODS": "qr,app,jsapi,wap",
            "STRIPE_ACCOUNT_ID": STRIPE_ACCOUNT,
            "STRIPE_GATEWAY": self.stripe_url,
            "STRIPE_SECRET_KEY_FILE": str(keys.stripe_secret_key),
            "STRIPE_WEBHOOK_SECRET_FILE": str(keys.stripe_webhook_secret),
            "CHANNEL_PREFERENCE": "alipay",
        }

    @property
    def _file(self) -> Path:
        return self.folder / "sandbox.json"

    def _describe(self) -> None:
        """Write down what is played, and by which keys."""
        folder, keys = self.folder, self.keys
        played = {
            "alipay": {
                "port": self.alipay_port,
                "state": folder / "sandbox.sqlite3",
                **ALIPAY,
                "private_key": keys.sandbox_private,
                "merchant_public_key": keys.app_public,
            },
            "wechat": {
                "port": self.wechat_port,
                "state": folder / "wechat.sqlite3",
                **WECHAT,
                "private_key": keys.wechat_private,
                "merchant_public_key": keys.app_public,
                "v3_key": keys.wechat_v3_key,
            },
            "stripe": {
                "port": self.stripe_port,
                "state": folder / "stripe.sqlite3",
                "secret_key": keys.stripe_secret_key,
                "webhook_secret": keys.stripe_webhook_secret,
                "webhook_url": f"{self.api_url}/v1/stripe/notify",
            },
        }
        self._file.write_text(json.dumps(played, default=str, indent=2) + "\n")
