"""Secrets that are stored only as digests: long random ones, so a plain digest is enough."""

from hashlib import sha256
from hmac import compare_digest


def digest(secret: str) -> str:
    """Return what is stored of a secret with 256 random bits."""
    return sha256(secret.encode()).hexdigest()


def fits(secret: str, stored: str | None) -> bool:
    """Tell, in constant time, whether a secret is the one whose digest was stored."""
    return stored is not None and compare_digest(digest(secret), stored)
