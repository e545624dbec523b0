"""Signatures as Alipay makes and checks them: RSA2 over sorted, unescaped `name=value` pairs.

Written apart from the product's own adapter, so that one does not repeat the other's mistake.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """Alipay's private key, and the public key that the merchant entered in the console."""

    ours: RSAPrivateKey
    merchant: RSAPublicKey

    @classmethod
    def read(cls, *, private_key: Path, merchant_public_key: Path) -> Self:
        """Read both from PEM files. Raises: OSError, ValueError."""
        ours = load_pem_private_key(private_key.read_bytes(), password=None)
        merchant = load_pem_public_key(merchant_public_key.read_bytes())
        if not isinstance(ours, RSAPrivateKey) or not isinstance(merchant, RSAPublicKey):
            raise ValueError("both keys are RSA keys")  # noqa: TRY004 - a file is no argument
        return cls(ours=ours, merchant=merchant)

    def sign(self, text: str) -> str:
        """Sign as Alipay."""
        return base64.b64encode(self.ours.sign(text.encode(), PKCS1v15(), SHA256())).decode()

    def merchants(self, signature: str, text: str) -> bool:
        """Tell whether the merchant signed this text."""
        try:
            self.merchant.verify(
                base64.b64decode(signature, validate=True), text.encode(), PKCS1v15(), SHA256()
            )
        except (InvalidSignature, binascii.Error):
            return False
        return True


def text_of(fields: Mapping[str, str]) -> str:
    """Join fields as they are signed."""
    return "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
