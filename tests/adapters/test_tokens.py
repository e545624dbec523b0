"""Access tokens: only what we signed, as we sign, for us, in time."""

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from wharfage.adapters.tokens import JwtAccessTokens
from wharfage.domain.errors import Unauthenticated
from wharfage.ports import AccessClaims

KEY = bytes(range(32))
ISSUER = "https://api.example"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CLAIMS = AccessClaims(
    account="usr_1", session="ses_1", epoch=3, expires_at=NOW + timedelta(minutes=15)
)


@pytest.fixture
def tokens() -> JwtAccessTokens:
    return JwtAccessTokens(key=KEY, issuer=ISSUER)


def forged(tokens: JwtAccessTokens, *, key=KEY, algorithm="HS256", header=None, **changes) -> str:
    """Make a token like ours but for *changes*; None takes a claim away."""
    ours = tokens.issue(CLAIMS)
    payload = jwt.decode(ours, options={"verify_signature": False}) | changes
    payload = {name: value for name, value in payload.items() if value is not None}
    headers = jwt.get_unverified_header(ours) | (header or {})
    del headers["alg"]
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)


def test_a_token_says_what_it_was_issued_for(tokens):
    assert tokens.read(tokens.issue(CLAIMS), NOW) == CLAIMS


def test_the_forger_would_get_through_without_a_change(tokens):
    assert tokens.read(forged(tokens), NOW) == CLAIMS


def test_a_token_ends_at_its_time_and_not_before(tokens):
    token = tokens.issue(CLAIMS)

    assert tokens.read(token, CLAIMS.expires_at - timedelta(milliseconds=1)) == CLAIMS
    with pytest.raises(Unauthenticated):
        tokens.read(token, CLAIMS.expires_at)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": b"x" * 32},
        {"algorithm": "HS512", "key": b"x" * 64},
        {"algorithm": "none", "key": ""},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "rt+jwt"}},
        {"header": {"kid": "other"}},
        {"header": {"kid": "k" * 10_000}},
        {"iss": "https://other.example"},
        {"aud": "other"},
        {"exp": None},
        {"iss": None},
        {"aud": None},
        {"sub": None},
        {"sid": None},
        {"epoch": None},
        {"epoch": "3"},
        {"epoch": True},
        {"sid": 5},
        {"exp": 10**30},
        {"exp": "soon"},
    ],
)
def test_a_token_that_is_not_as_we_make_them_is_refused(tokens, changes):
    with pytest.raises(Unauthenticated):
        tokens.read(forged(tokens, **changes), NOW)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "a" * 3000, "{}.{}.{}"])
def test_what_is_no_token_is_refused(tokens, token):
    with pytest.raises(Unauthenticated):
        tokens.read(token, NOW)


def test_an_unsigned_token_is_refused(tokens):
    _, payload, _ = tokens.issue(CLAIMS).split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode())

    for name in ("none", "None", "NONE"):
        header = base64.urlsafe_b64encode(json.dumps({"alg": name, "typ": "at+jwt"}).encode())
        with pytest.raises(Unauthenticated):
            tokens.read(f"{header.decode().rstrip('=')}.{payload}.", NOW)


def test_an_edited_payload_is_refused(tokens):
    header, payload, signature = tokens.issue(CLAIMS).split(".")
    plain = json.loads(base64.urlsafe_b64decode(payload + "=="))
    edited = base64.urlsafe_b64encode(json.dumps(plain | {"sub": "usr_2"}).encode()).decode()

    with pytest.raises(Unauthenticated):
        tokens.read(f"{header}.{edited.rstrip('=')}.{signature}", NOW)
