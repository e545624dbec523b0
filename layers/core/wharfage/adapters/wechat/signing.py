"""How WeChat Pay's API v3 signs: each way over lines that end in a line feed, by RSA-SHA256.

Only WeChat Pay's public key is believed, by its id. Its platform certificates, which are fetched
over the network for whoever names an unknown serial, are deliberately absent.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wharfage.adapters import rsa_keys
from wharfage.domain.errors import NotifyRefused
from wharfage.domain.trade import NotifyStep

ALGORITHM = "WECHATPAY2-SHA256-RSA2048"
V3_KEY_BYTES = 32
REPLAY_SECONDS = 300  #: How old, or how far ahead, what is signed may be.

_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signing:
    """Our private key with its serial, and the one public key that is believed, with its id."""

    merchant: str
    serial: str
    private_key: RSAPrivateKey
    public_key_id: str
    public_key: RSAPublicKey

    def authorization(self, method: str, target: str, body: str, now: datetime) -> str:
        """Write the header that signs a call. *target* is the path with its query."""
        nonce, at = secrets.token_hex(16), str(int(now.timestamp()))
        signature = self.sign(method, target, at, nonce, body)
        fields = {
            "mchid": self.merchant,
            "nonce_str": nonce,
            "timestamp": at,
            "serial_no": self.serial,
            "signature": signature,
        }
        pairs = ",".join(f'{name}="{value}"' for name, value in fields.items())
        return f"{ALGORITHM} {pairs}"

    def sign(self, *lines: str) -> str:
        """Sign lines as WeChat Pay joins them."""
        return rsa_keys.signed(self.private_key, "".join(f"{line}\n" for line in lines))

    def check(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Check that WeChat Pay signed exactly these bytes, just now; nothing is fetched for it.

        Raises: NotifyRefused.
        """
        kind = headers.get("wechatpay-signature-type", ALGORITHM)
        if kind != ALGORITHM:
            raise NotifyRefused(step=NotifyStep.SIGN_TYPE)
        if headers.get("wechatpay-serial") != self.public_key_id:
            raise NotifyRefused(step=NotifyStep.KEY)
        signature = rsa_keys.signature_bytes(headers.get("wechatpay-signature", ""))
        if signature is None:
            raise NotifyRefused(step=NotifyStep.SIGN_FORMAT)
        at, nonce = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-nonce", "")
        # Neither may hold a line end, or other lines would give the same signed text.
        if not _SECONDS.fullmatch(at) or not nonce or "\n" in nonce:
            raise NotifyRefused(step=NotifyStep.STALE)
        if abs(now.timestamp() - int(at)) > REPLAY_SECONDS:
            raise NotifyRefused(step=NotifyStep.STALE)
        message = f"{at}\n{nonce}\n".encode() + body + b"\n"
        if not rsa_keys.verified(self.public_key, signature, message):
            raise NotifyRefused(step=NotifyStep.SIGNATURE)


def decrypted(key: bytes, *, nonce: str, associated_data: str, ciphertext: bytes) -> bytes | None:
    """Open what WeChat Pay encrypted for us by AES-256-GCM; None if it was not made so."""
    try:
        return AESGCM(key).decrypt(nonce.encode(), ciphertext, associated_data.encode())
    except (InvalidTag, ValueError):
        return None
