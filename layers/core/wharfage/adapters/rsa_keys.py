"""RSA keys as people paste them: PEM, bare base64, folded or not; read once, checked, never shown.

Consoles give bare base64, environments turn line ends into a literal backslash-n, and what is
pasted as the channel's key is often our own. Each is said in words, without the key.
"""

import base64
import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from wharfage.settings import SettingsError

BITS = 2048  #: What Alipay's RSA2 and WeChat Pay's RSA2048 mean.
SIGNATURE_BYTES = BITS // 8
_FINGERPRINT_BYTES = 8

_MARKERS = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")


class UnusableKey(SettingsError):
    """A key of the settings cannot be used; the message says why and never shows the key."""


def private_key(text: str) -> RSAPrivateKey:
    """Read our private key. Raises: UnusableKey."""
    der = _der(text, "our private key")
    try:
        key = serialization.load_der_private_key(der, password=None)
    except (ValueError, TypeError):
        hint = " It is a public key." if _public(der) is not None else ""
        raise UnusableKey(f"our private key is not an RSA private key.{hint}") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size != BITS:
        raise UnusableKey(f"our private key is not an RSA key of {BITS} bits.")
    return key


def public_key(text: str, ours: RSAPrivateKey, *, whose: str) -> RSAPublicKey:
    """Read the public key of a channel, which is not ours; *whose* is said. Raises: UnusableKey."""
    der = _der(text, f"{whose}'s public key")
    key = _public(der)
    if key is None:
        raise UnusableKey(
            f"{whose}'s public key is not a public key; a private one is not asked for."
        )
    if not isinstance(key, RSAPublicKey) or key.key_size != BITS:
        raise UnusableKey(f"{whose}'s public key is not an RSA key of {BITS} bits.")
    if key.public_numbers() == ours.public_key().public_numbers():
        raise UnusableKey(
            f"{whose}'s public key is our own. Take the one that {whose}'s console shows as"
            f" {whose}'s after our own was entered there."
        )
    return key


def private_pem(key: RSAPrivateKey) -> str:
    """Write a private key as the SDK reads it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_pem(key: RSAPublicKey) -> str:
    """Write a public key as the SDK reads it."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def fingerprint(key: RSAPublicKey) -> str:
    """Name a public key shortly, to be compared with a console's; it gives nothing away."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "SHA256:" + hashlib.sha256(der).digest()[:_FINGERPRINT_BYTES].hex(":")


def signed(key: RSAPrivateKey, message: str) -> str:
    """Sign by RSA2, in base64."""
    return base64.b64encode(key.sign(message.encode(), padding.PKCS1v15(), SHA256())).decode()


def signature_bytes(text: str) -> bytes | None:
    """Read a signature of which there is only one way to write it; None if this is not that way."""
    try:
        signature = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    canonical = base64.b64encode(signature).decode() == text
    return signature if canonical and len(signature) == SIGNATURE_BYTES else None


def verified(key: RSAPublicKey, signature: bytes, message: bytes) -> bool:
    """Tell whether *signature* is the key's own over *message*, by RSA2 and nothing else."""
    try:
        key.verify(signature, message, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _der(text: str, name: str) -> bytes:
    bare = "".join(_MARKERS.sub("", text.replace("\\n", "\n").replace("\\r", "\r")).split())
    if not bare:
        raise UnusableKey(f"{name} is empty.")
    try:
        return base64.b64decode(bare, validate=True)
    except ValueError:
        raise UnusableKey(f"{name} is neither PEM nor base64.") from None


def _public(der: bytes) -> object | None:
    try:
        return serialization.load_der_public_key(der)
    except ValueError:
        return None
