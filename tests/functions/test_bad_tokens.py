"""Every route that asks who is calling, and every token that is not to be believed."""

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from tests.fixtures import edge
from tests.fixtures.calls import good
from tests.fixtures.port import ROUTES, Call, Port
from tests.fixtures.refusals import require_problem
from wharfage.web.auth import Scheme

Header = Callable[[Port], str]
Cases = dict[str, tuple[Header, tuple[int, str]]]

UNKNOWN = (401, "unauthenticated")
ENDED = (401, "session_ended")


def forged(*, drop: str = "", key: bytes | None = None, **how: Any) -> Header:
    """Forge the owner's token with *changes*; its key is the true one unless another is given."""

    def make(port: Port) -> str:
        true = str(port.callers["owner"])
        claims = jwt.decode(true, options={"verify_signature": False}) | how.get("claims", {})
        claims.pop(drop, None)
        header = jwt.get_unverified_header(true) | how.get("header", {})
        header = {name: value for name, value in header.items() if value is not None}
        algorithm = header.pop("alg")
        found = edge.settings().token_key if key is None else key
        signing: Any = {"none": None}.get(algorithm, found)
        return f"Bearer {jwt.encode(claims, signing, algorithm=algorithm, headers=header)}"

    return make


def resigned(header: str, payload: str = "{}") -> Header:
    """Make a token of any text, signed by nobody."""
    parts = [
        base64.urlsafe_b64encode(each.encode()).decode().rstrip("=") for each in (header, payload)
    ]
    return lambda port: f"Bearer {parts[0]}.{parts[1]}.c2lnbmF0dXJl"


def said(text: str) -> Header:
    return lambda port: text


def kept(caller: str, pattern: str = "Bearer {}") -> Header:
    return lambda port: pattern.format(port.callers[caller])


def _tampered(port: Port) -> str:
    head, payload, signature = str(port.callers["owner"]).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"sub": port.other.account}
    edited = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"Bearer {head}.{edited}.{signature}"


NO_TOKENS: Cases = {
    "none": (said(""), UNKNOWN),
    "scheme_alone": (said("Bearer"), UNKNOWN),
    "blank": (said("Bearer    "), UNKNOWN),
    "other_scheme": (kept("owner", "Basic {}"), UNKNOWN),
    "no_scheme": (kept("owner", "{}"), UNKNOWN),
    "nul": (said("Bearer \0"), UNKNOWN),
    "newline": (said("Bearer a\nb"), UNKNOWN),
    "not_ascii": (said("Bearer \u202e\u00e9\U0001f6a2"), UNKNOWN),
    "lone_surrogate": (said("Bearer \ud800.\udfff.\ud800"), UNKNOWN),
    "dots": (said("Bearer ..."), UNKNOWN),
    "ten_kilobytes": (said("Bearer " + "a" * 10_000), UNKNOWN),
}
SESSION_TOKENS: Cases = NO_TOKENS | {
    "expired": (kept("expired"), UNKNOWN),
    "signed_out": (kept("signed_out"), ENDED),
    "after_a_new_password": (lambda port: f"Bearer {port.epoch_token}", ENDED),
    "banned": (kept("banned"), (403, "banned")),
    "two_headers": (kept("owner", "Bearer {0},Bearer {0}"), UNKNOWN),
    "a_host's": (kept("agent"), UNKNOWN),
    "a_refresh_token": (lambda port: f"Bearer {port.session['refresh_token']}", UNKNOWN),
    "cut": (lambda port: f"Bearer {str(port.callers['owner'])[:-1]}", UNKNOWN),
    "tampered": (_tampered, UNKNOWN),
    "unsigned": (lambda port: f"Bearer {str(port.callers['owner']).rpartition('.')[0]}.", UNKNOWN),
    "alg_none": (forged(header={"alg": "none"}), UNKNOWN),
    "alg_hs512": (forged(header={"alg": "HS512"}), UNKNOWN),
    "alg_none_in_capitals": (resigned('{"alg":"NONE","typ":"at+jwt"}'), UNKNOWN),
    "other_key": (forged(key=b"another key of thirty-two bytes!!"), UNKNOWN),
    "type_jwt": (forged(header={"typ": "JWT"}), UNKNOWN),
    "type_none": (forged(header={"typ": None}), UNKNOWN),
    "kid_none": (forged(header={"kid": None}), UNKNOWN),
    "kid_path": (forged(header={"kid": "../../../dev/null"}), UNKNOWN),
    "kid_huge": (forged(header={"kid": "k" * 1000}), UNKNOWN),
    "kid_over_the_limit": (forged(header={"kid": "k" * 100_000}), UNKNOWN),
    "crit": (forged(header={"crit": ["exp"]}), UNKNOWN),
    "no_exp": (forged(drop="exp"), UNKNOWN),
    "no_sub": (forged(drop="sub"), UNKNOWN),
    "no_sid": (forged(drop="sid"), UNKNOWN),
    "no_epoch": (forged(drop="epoch"), UNKNOWN),
    "no_issuer": (forged(drop="iss"), UNKNOWN),
    "no_audience": (forged(drop="aud"), UNKNOWN),
    "other_issuer": (forged(claims={"iss": "https://evil.example"}), UNKNOWN),
    "other_audience": (forged(claims={"aud": "other"}), UNKNOWN),
    "exp_text": (forged(claims={"exp": "9999999999"}), UNKNOWN),
    "exp_float": (forged(claims={"exp": 9999999999.5}), UNKNOWN),
    "exp_infinite": (forged(claims={"exp": float("inf")}), UNKNOWN),
    "exp_nan": (forged(claims={"exp": float("nan")}), UNKNOWN),
    "exp_true": (forged(claims={"exp": True}), UNKNOWN),
    "exp_39_digits": (forged(claims={"exp": 10**38}), UNKNOWN),
    "exp_negative": (forged(claims={"exp": -1}), UNKNOWN),
    "epoch_zero": (forged(claims={"epoch": 0}), ENDED),
    "epoch_text": (forged(claims={"epoch": "1"}), UNKNOWN),
    "sub_number": (forged(claims={"sub": 7}), UNKNOWN),
    "sub_list": (forged(claims={"sub": ["usr_1"]}), UNKNOWN),
    "sid_of_nobody": (forged(claims={"sid": "ses_0"}), UNKNOWN),
    "header_deep": (resigned("[" * 1400), UNKNOWN),
    "payload_deep": (resigned('{"alg":"HS256","typ":"at+jwt"}', "[" * 1300), UNKNOWN),
    "header_a_list": (resigned("[1]"), UNKNOWN),
    "header_a_number": (resigned("1"), UNKNOWN),
}
HOST_TOKENS: Cases = NO_TOKENS | {
    "revoked": (kept("revoked_agent"), UNKNOWN),
    "two_headers": (kept("agent", "Bearer {0},Bearer {0}"), UNKNOWN),
    "an_account's": (kept("owner"), UNKNOWN),
    "the_operator's": (kept("admin"), UNKNOWN),
    "of_nobody": (said("Bearer hst_0.secret"), UNKNOWN),
    "another's_secret": (
        lambda port: f"Bearer {port.agent.id}.{port.other_agent.token.partition('.')[2]}",
        UNKNOWN,
    ),
    "no_secret": (lambda port: f"Bearer {port.agent.id}.", UNKNOWN),
    "secret_alone": (lambda port: f"Bearer {port.agent.token.partition('.')[2]}", UNKNOWN),
    "in_capitals": (lambda port: f"Bearer {port.agent.token.upper()}", UNKNOWN),
    "long_id": (said(f"Bearer hst_{'a' * 300}.secret"), UNKNOWN),
    "key_of_another_row": (said("Bearer fleet.secret"), UNKNOWN),
}
TOKENS = {Scheme.SESSION: SESSION_TOKENS, Scheme.HOST: HOST_TOKENS, Scheme.NONE: {}}
TABLE = [
    pytest.param(name, case, id=f"{name}-{case}")
    for name, (_, route) in ROUTES.items()
    for case in TOKENS[route.auth.scheme]
]


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize(("name", "case"), TABLE)
def test_a_token_that_is_not_to_be_believed_opens_no_route(
    port: Port, name: str, case: str
) -> None:
    _, route = ROUTES[name]
    header, expected = TOKENS[route.auth.scheme][case]
    call = good(port, name)
    headers = {**call.headers, "authorization": header(port)}

    with port.unchanged():
        answer = port.ask(name, Call(path=call.path, body=call.body, headers=headers))

    require_problem(answer, expected)
    assert answer.status == 403 or answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("pattern", ["Bearer {}", "bearer {}", "BEARER   {} "])
def test_a_true_token_is_believed_however_its_scheme_is_written(port: Port, pattern: str) -> None:
    header = kept("owner", pattern)(port)

    answer = port.ask("GET /v1/me", Call(headers={"authorization": header}))

    assert (answer.status, answer.json["id"]) == (200, port.owner.account)


def test_the_forger_of_these_tokens_can_make_a_true_one(port: Port) -> None:
    answer = port.ask("GET /v1/me", Call(headers={"authorization": forged()(port)}))

    assert (answer.status, answer.json["id"]) == (200, port.owner.account)


def test_a_refresh_token_used_twice_ends_its_session_and_nothing_else(port: Port) -> None:
    call = good(port, "POST /v1/auth/refresh")

    first = port.ask("POST /v1/auth/refresh", call)
    again = port.ask("POST /v1/auth/refresh", call)
    after = port.ask(
        "POST /v1/auth/refresh", Call(body={"refresh_token": first.json["refresh_token"]})
    )

    assert first.status == 200
    require_problem(again, ENDED)
    require_problem(after, ENDED)
    assert port.ask("GET /v1/me", Call(), port.callers["owner"]).status == 200


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "\0.\0.\0",
        "\u202e",
        "x" * 8000,
        "usr_1.ses_1." + "x" * 250,
        "e\u0301" * 100,
    ],
)
def test_a_refresh_token_of_nobody_is_refused(port: Port, token: str) -> None:
    with port.unchanged():
        answer = port.ask("POST /v1/auth/refresh", Call(body={"refresh_token": token}))

    require_problem(answer, UNKNOWN, (413, "too_large"))


def test_an_access_token_refreshes_nothing(port: Port) -> None:
    with port.unchanged():
        body = {"refresh_token": port.callers["owner"]}
        answer = port.ask("POST /v1/auth/refresh", Call(body=body))

    require_problem(answer, UNKNOWN)
