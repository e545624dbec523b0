"""Runs the stand-ins: `python -m infrastructure.local.sandbox FILE`.

The file is JSON: what each channel that is to be played needs, by its name.
"""

import argparse
import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import msgspec

from infrastructure.local.sandbox import stand_ins
from infrastructure.local.sandbox.sender import SCHEDULE
from infrastructure.local.sandbox.signing import Keys
from infrastructure.local.sandbox.stand_ins import Running
from infrastructure.local.sandbox.wechat_payers import Merchant

logger = logging.getLogger("sandbox")


class Common(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every stand-in needs."""

    port: int  #: 0 for any.
    state: Path  #: Its SQLite file.
    schedule: tuple[float, ...] = SCHEDULE  #: Seconds between the sends of a notify.


class AlipayParts(Common, frozen=True, kw_only=True):
    """Alipay: who the merchant is. Keys are PEM files."""

    app_id: str
    seller_id: str
    private_key: Path
    merchant_public_key: Path


class WechatParts(Common, frozen=True, kw_only=True):
    """WeChat Pay: who the merchant is. Keys are PEM files, the last one is 32 characters."""

    app_id: str
    merchant_id: str
    serial: str
    public_key_id: str
    private_key: Path
    merchant_public_key: Path
    v3_key: Path


class StripeParts(Common, frozen=True, kw_only=True):
    """Stripe: the files of its two secrets, and where its events go."""

    secret_key: Path
    webhook_secret: Path
    webhook_url: str


class Parts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which channels are played."""

    alipay: AlipayParts
    wechat: WechatParts | None = None
    stripe: StripeParts | None = None


def main() -> None:
    """Read the file and serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("file", type=Path)
    given = parser.parse_args().file.read_bytes()
    parts = msgspec.json.decode(given, type=Parts, dec_hook=lambda _, text: Path(text))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    found = prepared(parts)
    threads = [threading.Thread(target=_serving(each, ended.set)) for each in found.values()]
    for thread in threads:
        thread.start()
    for name, each in found.items():
        logger.info("%s listening on %s", name, each.url)
    ended.wait()
    for each in found.values():
        each.stop()
    for thread in threads:
        thread.join()


def prepared(parts: Parts) -> dict[str, Running]:
    """Bind the ports and put the channels together, by name."""
    found = {"alipay": _alipay(parts.alipay)}
    if parts.wechat is not None:
        found["wechat"] = _wechat(parts.wechat)
    if parts.stripe is not None:
        found["stripe"] = _stripe(parts.stripe)
    return found


def _serving(running: Running, over: Callable[[], None]) -> Callable[[], None]:
    """Serve in a thread; when one ends, whatever the reason, all are over."""

    def serve() -> None:
        try:
            running.serve()
        finally:
            over()

    return serve


def _alipay(parts: AlipayParts) -> Running:
    return stand_ins.alipay(
        port=parts.port,
        state=parts.state,
        keys=Keys.read(
            private_key=parts.private_key, merchant_public_key=parts.merchant_public_key
        ),
        app_id=parts.app_id,
        seller_id=parts.seller_id,
        schedule=parts.schedule,
    )


def _wechat(parts: WechatParts) -> Running:
    running, _ = stand_ins.wechat(
        port=parts.port,
        state=parts.state,
        keys=Keys.read(
            private_key=parts.private_key, merchant_public_key=parts.merchant_public_key
        ),
        merchant=Merchant(
            app_id=parts.app_id,
            merchant_id=parts.merchant_id,
            serial=parts.serial,
            public_key_id=parts.public_key_id,
            v3_key=parts.v3_key.read_text(),
        ),
        schedule=parts.schedule,
    )
    return running


def _stripe(parts: StripeParts) -> Running:
    running, _ = stand_ins.stripe(
        port=parts.port,
        state=parts.state,
        secret_key=parts.secret_key.read_text(),
        webhook_secret=parts.webhook_secret.read_text(),
        webhook_url=parts.webhook_url,
        schedule=parts.schedule,
    )
    return running


if __name__ == "__main__":
    main()
