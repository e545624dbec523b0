"""Access tokens: JWT, HS256, by the rules of RFC 8725 and RFC 9068.

The algorithm and the type are ours to say and not the token's; issuer and audience are checked;
the key is named, so that another can follow it.
"""

from datetime import UTC, datetime
from hashlib import sha256

from wharfage.domain.errors import Unauthenticated
from wharfage.ports import AccessClaims

_ALGORITHM = "HS256"
_TYPE = "at+jwt"
_AUDIENCE = "wharfage"
_TOKEN_CHARACTERS_MAX = 2048
_REQUIRED = ["exp", "iss", "aud", "sub", "sid", "epoch"]


class JwtAccessTokens:
    """`ports.AccessTokens` over PyJWT, imported when a token first comes (it costs 100 ms)."""

    def __init__(self, *, key: bytes, issuer: str) -> None:
        self._key = key
        self._key_id = sha256(b"kid" + key).hexdigest()[:16]
        self._issuer = issuer

    def issue(self, claims: AccessClaims) -> str:
        """Sign a token."""
        import jwt

        payload = {
            "iss": self._issuer,
            "aud": _AUDIENCE,
            "sub": claims.account,
            "sid": claims.session,
            "epoch": claims.epoch,
            "exp": int(claims.expires_at.timestamp()),
        }
        headers = {"typ": _TYPE, "kid": self._key_id}
        return jwt.encode(payload, self._key, algorithm=_ALGORITHM, headers=headers)

    def read(self, token: str, now: datetime) -> AccessClaims:
        """Check a token and return what it says. Raises: Unauthenticated."""
        import jwt

        if len(token) > _TOKEN_CHARACTERS_MAX:
            raise Unauthenticated
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != _TYPE or header.get("kid") != self._key_id:
                raise Unauthenticated
            payload = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                issuer=self._issuer,
                audience=_AUDIENCE,
                # The time is the caller's, not the machine's, so it is compared below.
                options={"require": _REQUIRED, "verify_exp": False},
            )
            claims = AccessClaims(
                account=_text(payload["sub"]),
                session=_text(payload["sid"]),
                epoch=_number(payload["epoch"]),
                expires_at=datetime.fromtimestamp(_number(payload["exp"]), UTC),
            )
        except (jwt.PyJWTError, ValueError, OverflowError, OSError):
            raise Unauthenticated from None
        if now >= claims.expires_at:
            raise Unauthenticated
        return claims


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - the token is wrong, not the program.
    return value


def _number(value: object) -> int:
    if type(value) is not int:
        raise ValueError("not a number")
    return value
