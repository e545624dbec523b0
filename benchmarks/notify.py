"""CPU of one notify: our check of its signature against the SDK's, and all of its parsing.

    python -m benchmarks.notify [--rounds 5] [--count 500] [--json FILE]

Both verify the very same signed fields, in turn, in one thread; what is counted is the processor
time of this process. The SDK's verify is the rival; parsing has none, and is shown as a multiple
of the signature check that it contains.
"""

import argparse
import base64
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from infrastructure.local.keys import keys
from infrastructure.local.sandbox.signing import Keys, text_of
from infrastructure.local.sandboxes import APP_ID, SELLER_ID
from wharfage.adapters import rsa_keys
from wharfage.adapters.alipay import AlipayChannel
from wharfage.adapters.alipay.notify import signed_text
from wharfage.domain.trade import NotifyRequest
from wharfage.settings import AlipaySettings

FIELDS = {
    "app_id": APP_ID,
    "auth_app_id": APP_ID,
    "buyer_id": "2088000000000099",
    "buyer_pay_amount": "99.00",
    "charset": "utf-8",
    "fund_bill_list": '[{"amount":"99.00","fundChannel":"ALIPAYACCOUNT"}]',
    "gmt_create": "2026-03-01 12:00:00",
    "gmt_payment": "2026-03-01 12:00:09",
    "invoice_amount": "99.00",
    "notify_id": "2026030100222120009081000400001",
    "notify_time": "2026-03-01 12:00:10",
    "notify_type": "trade_status_sync",
    "out_trade_no": "ord_01hq8000000000000000000000",
    "point_amount": "0.00",
    "receipt_amount": "99.00",
    "seller_id": SELLER_ID,
    "subject": "Wharfage 充值",
    "total_amount": "99.00",
    "trade_no": "2026030122001404081000400001",
    "trade_status": "TRADE_SUCCESS",
    "version": "1.0",
}


def subjects(folder: Path) -> dict[str, Callable[[], object]]:
    """Give what is measured, by name."""
    found = keys(folder)
    signing = Keys.read(private_key=found.sandbox_private, merchant_public_key=found.app_public)
    channel = AlipayChannel(
        AlipaySettings(
            app_id=APP_ID,
            seller_id=SELLER_ID,
            gateway="http://127.0.0.1:9/gateway.do",
            app_private_key=found.app_private.read_text(),
            alipay_public_key=found.sandbox_public.read_text(),
            notify_url="http://127.0.0.1:9/v1/alipay/notify",
            return_url="http://127.0.0.1:9/v1/alipay/return",
        )
    )
    signature = signing.sign(text_of(FIELDS))
    form = urlencode({**FIELDS, "sign": signature, "sign_type": "RSA2"}).encode()
    request = NotifyRequest(
        method="POST", content_type="application/x-www-form-urlencoded", body=form
    )
    ours = rsa_keys.public_key(
        found.sandbox_public.read_text(),
        rsa_keys.private_key(found.app_private.read_text()),
        whose="Alipay",
    )
    raw = base64.b64decode(signature)
    sdk = channel._sdk  # noqa: SLF001 - the rival, set up as the channel sets it up
    return {
        "cryptography": lambda: rsa_keys.verified(ours, raw, signed_text(FIELDS).encode()),
        "sdk": lambda: sdk.verify(dict(FIELDS), signature),
        "parse": lambda: channel.parse_notify(request),
    }


def microseconds(call: Callable[[], object], count: int) -> float:
    """Give the CPU time of one call, as the mean of so many."""
    assert call(), "a genuine notify is believed"
    started = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - started) / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=500, help="calls of each in a round")
    parser.add_argument("--json", type=Path, help="keep every figure in this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wharfage-benchmark-") as folder:
        measured = subjects(Path(folder))
        rounds = [
            {name: microseconds(call, asked.count) for name, call in measured.items()}
            for _ in range(asked.rounds)
        ]
    median = {name: statistics.median(each[name] for each in rounds) for name in measured}
    for name, over in (("sdk", "cryptography"), ("parse", "cryptography")):
        ratios = sorted(each[name] / each[over] for each in rounds)
        print(
            f"{name:6} {median[name]:8.1f} us, {over} {median[over]:6.1f} us,"
            f" ratio {statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
        )
    if asked.json:
        asked.json.write_text(json.dumps(rounds))


if __name__ == "__main__":
    main()
