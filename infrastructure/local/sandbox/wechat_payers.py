"""What WeChat Pay's stand-in checks of those who pay: who, from where, and by whose signed text."""

import json
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from infrastructure.local.sandbox.signing import Keys

CLOCK_SECONDS = 300  #: What is signed is good for so long.

#: What an app knows a person by; those of WeChat begin with an `o`, too.
_OPENID = re.compile(r"o[0-9A-Za-z_-]{1,127}", re.ASCII)
_BROWSERS = frozenset({"iOS", "Android", "Wap"})


@dataclass(frozen=True, kw_only=True)
class Merchant:
    """Who calls, and by which key what is for them is encrypted."""

    app_id: str
    merchant_id: str
    serial: str
    public_key_id: str
    v3_key: str


class Declined(Exception):
    """A call that is not carried out; *field* is what of it is wrong."""

    def __init__(self, status: int, code: str, *, field: str | None = None) -> None:
        super().__init__(code)
        self.status, self.code = status, code
        self.fields: dict[str, Any] = {"code": code, "message": code}
        if field is not None:
            self.fields["detail"] = {"field": field, "location": "body"}


def require_payer(payer: Any) -> None:
    """Know a payer within WeChat. Raises: Declined."""
    openid = payer.get("openid") if isinstance(payer, dict) else None
    if not isinstance(openid, str) or not _OPENID.fullmatch(openid):
        raise Declined(400, "PARAM_ERROR", field="/payer/openid")


def require_phone(scene: Any) -> None:
    """Know where a phone's browser is, and which it is. Raises: Declined."""
    known = scene if isinstance(scene, dict) else {}
    try:
        ip_address(str(known.get("payer_client_ip")))
    except ValueError:
        raise Declined(400, "PARAM_ERROR", field="/scene_info/payer_client_ip") from None
    browser = known.get("h5_info")
    if not isinstance(browser, dict) or browser.get("type") not in _BROWSERS:
        raise Declined(400, "PARAM_ERROR", field="/scene_info/h5_info/type")


def handed(text: str, merchant: Merchant, keys: Keys, now: float) -> tuple[str, str]:
    """Check what WeChat was handed: the order's token, and by which product it is paid.

    Raises: Declined where it was not made for this, or was not signed just now by the merchant.
    """
    given: dict[str, str] = json.loads(text)
    if "partnerid" in given:
        names, product = ("appid", "timestamp", "noncestr", "prepayid"), "APP"
        prepaid, signature = given["prepayid"], given["sign"]
        whole = (given["partnerid"], given["package"]) == (merchant.merchant_id, "Sign=WXPay")
    else:
        names, product = ("appId", "timeStamp", "nonceStr", "package"), "JSAPI"
        start, _, prepaid = given["package"].partition("=")
        signature = given["paySign"]
        whole = (start, given["signType"]) == ("prepay_id", "RSA")
    lines = [given[name] for name in names]
    signed = "".join(f"{line}\n" for line in lines)
    fresh = lines[1].isdigit() and abs(int(lines[1]) - now) <= CLOCK_SECONDS
    if not (whole and fresh and lines[0] == merchant.app_id and keys.merchants(signature, signed)):
        raise Declined(400, "SIGN_ERROR")
    return prepaid.removeprefix("wx"), product
