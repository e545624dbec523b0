"""The secrets of this machine's stack, made once, each in a file that only its owner can read.

On AWS the same secrets are in SSM and KMS. Here they are: RSA pairs (ours towards Alipay and WeChat
Pay, and each sandbox's towards us), what WeChat Pay's and Stripe's sandboxes share with us, the
secret that signs access tokens, and the envelope key of customers' secrets. Losing the envelope key
loses those secrets; `backup` must copy it.
"""

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infrastructure.local.paths import made

#: What Alipay's RSA2 asks for.
RSA_BITS = 2048
SECRET_BYTES = 32
V3_KEY_BYTES = 32  #: What WeChat Pay encrypts its notifies with.


class KeyExposed(Exception):
    """A key file can be read by somebody else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """The files. RSA keys are PEM; the other secrets are one line of text without a newline."""

    app_private: Path
    app_public: Path
    sandbox_private: Path
    sandbox_public: Path
    wechat_private: Path
    wechat_public: Path
    wechat_v3_key: Path  #: 32 characters.
    stripe_secret_key: Path
    stripe_webhook_secret: Path
    jwt_secret: Path
    envelope_key: Path


def keys(folder: Path) -> Keys:
    """Give the keys of *folder*, and make those that are missing.

    Raises: KeyExposed when a file is not ours alone.
    """
    made(folder)
    found = Keys(
        app_private=folder / "app-private.pem",
        app_public=folder / "app-public.pem",
        sandbox_private=folder / "sandbox-private.pem",
        sandbox_public=folder / "sandbox-public.pem",
        wechat_private=folder / "wechat-private.pem",
        wechat_public=folder / "wechat-public.pem",
        wechat_v3_key=folder / "wechat-v3-key",
        stripe_secret_key=folder / "stripe-secret-key",
        stripe_webhook_secret=folder / "stripe-webhook-secret",
        jwt_secret=folder / "jwt-secret",
        envelope_key=folder / "envelope-key",
    )
    _pair(found.app_private, found.app_public)
    _pair(found.sandbox_private, found.sandbox_public)
    _pair(found.wechat_private, found.wechat_public)
    _secret(found.wechat_v3_key, secrets.token_hex(V3_KEY_BYTES // 2))
    _secret(found.stripe_secret_key, f"sk_test_{secrets.token_hex(SECRET_BYTES)}")
    _secret(found.stripe_webhook_secret, f"whsec_{secrets.token_hex(SECRET_BYTES)}")
    _secret(found.jwt_secret, secrets.token_hex(SECRET_BYTES))
    _secret(found.envelope_key, secrets.token_hex(SECRET_BYTES))
    return found


def _pair(private: Path, public: Path) -> None:
    if not private.exists():
        key = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
        _write(
            private,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ),
        )
    _check(private)
    # Derived from what the file holds, so that a pair is a pair whatever happened in between.
    kept = serialization.load_pem_private_key(private.read_bytes(), password=None)
    derived = kept.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if not public.exists() or public.read_bytes() != derived:
        public.unlink(missing_ok=True)
        _write(public, derived)


def _secret(file: Path, fresh: str) -> None:
    if not file.exists():
        _write(file, fresh.encode())
    _check(file)


def _write(file: Path, content: bytes) -> None:
    """Write a new file whole and durable; whoever was first wins, so a key is never replaced."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)


def _check(file: Path) -> None:
    found = file.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise KeyExposed(f"{file} is not a file that only this user can read (mode 0600)")
