"""Who may call what: every route by every kind of caller, and no cell left out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from tests.fixtures.calls import good
from tests.fixtures.port import ROUTES, Call, Port
from tests.fixtures.refusals import require_problem
from wharfage.domain.account import Role
from wharfage.web.auth import Scheme


class Refused(NamedTuple):
    """How a caller is refused."""

    status: int
    code: str


UNKNOWN = Refused(401, "unauthenticated")
ENDED = Refused(401, "session_ended")
BANNED = Refused(403, "banned")
FORBIDDEN = Refused(403, "forbidden")
NOT_FOUND = Refused(404, "not_found")
STALE_BOOT = Refused(409, "stale_boot")
STALE_CLAIM = Refused(409, "stale_claim")
LET_IN = None  #: Answered as the route declares.
Cells = dict[str, Refused | None]

CALLERS = (
    "anonymous", "owner", "other", "banned", "signed_out", "expired", "admin", "agent",
    "other_agent", "revoked_agent", "draining_agent",
)  # fmt: skip
_OUTSIDE: Cells = {
    "anonymous": UNKNOWN, "banned": BANNED, "signed_out": ENDED, "expired": UNKNOWN,
    "revoked_agent": UNKNOWN,
}  # fmt: skip
_NO_HOSTS: Cells = dict.fromkeys(("agent", "other_agent", "draining_agent"), UNKNOWN)
_ACCOUNTS = ("anonymous", "owner", "other", "banned", "signed_out", "expired", "admin")

#: Anybody; a token is not even looked at.
OPEN: Cells = dict.fromkeys(CALLERS, LET_IN)
#: Whoever is signed in, each for itself.
SELF: Cells = _OUTSIDE | _NO_HOSTS | dict.fromkeys(("owner", "other", "admin"), LET_IN)
#: Whose it is; for all others, the operator too, it is not there.
OWNER: Cells = SELF | dict.fromkeys(("other", "admin"), NOT_FOUND)
#: The operator.
OPERATOR: Cells = SELF | dict.fromkeys(("owner", "other"), FORBIDDEN)
#: Hosts, each for itself.
HOST: Cells = {
    **dict.fromkeys((*_ACCOUNTS, "revoked_agent"), UNKNOWN),
    **dict.fromkeys(("agent", "other_agent", "draining_agent"), LET_IN),
}
#: The one life of the one host that the call names.
LIFE: Cells = HOST | dict.fromkeys(("other_agent", "draining_agent"), STALE_BOOT)
#: The host whose claim the call names.
CLAIM: Cells = HOST | dict.fromkeys(("other_agent", "draining_agent"), STALE_CLAIM)

MATRIX: Mapping[str, Cells] = {
    "POST /v1/auth/register": OPEN,
    "POST /v1/auth/login": OPEN,
    "POST /v1/auth/refresh": OPEN,
    "POST /v1/auth/logout": SELF,
    "POST /v1/auth/password": SELF,
    "POST /v1/auth/operator": OPEN,
    "GET /v1/me": SELF,
    "PATCH /v1/me": SELF,
    "GET /v1/me/sessions": SELF,
    "DELETE /v1/me/sessions/{session_id}": OWNER,
    "GET /v1/admin/users": OPERATOR,
    "POST /v1/admin/users/{user_id}/ban": OPERATOR,
    "POST /v1/admin/users/{user_id}/unban": OPERATOR,
    "POST /v1/admin/users/{user_id}/role": OPERATOR,
    "GET /v1/admin/users/{user_id}/quotas": OPERATOR,
    "PUT /v1/admin/users/{user_id}/quotas": OPERATOR,
    "GET /v1/health": OPEN,
    "GET /v1/openapi.json": OPEN,
    "GET /v1/errors/{code}": OPEN,
    "POST /v1/orders": SELF,
    "GET /v1/orders": SELF,
    "GET /v1/orders/{order_id}": OWNER,
    "POST /v1/orders/{order_id}/pay": OWNER,
    "POST /v1/orders/{order_id}/cancel": OWNER,
    "POST /v1/admin/notifies/inspect": OPERATOR,
    "GET /v1/admin/reviews": OPERATOR,
    "POST /v1/admin/reviews/{order_id}/approve": OPERATOR,
    "POST /v1/admin/reviews/{order_id}/refuse": OPERATOR,
    "POST /v1/orders/{order_id}/refunds": OWNER,
    "GET /v1/orders/{order_id}/refunds": OWNER,
    "GET /v1/admin/refunds": OPERATOR,
    "POST /v1/admin/refunds/{order_id}/{refund_id}/approve": OPERATOR,
    "POST /v1/admin/refunds/{order_id}/{refund_id}/reject": OPERATOR,
    "POST /v1/invoices": SELF,
    "GET /v1/invoices": SELF,
    "GET /v1/invoices/{invoice_id}": OWNER,
    "GET /v1/admin/invoices": OPERATOR,
    "POST /v1/admin/invoices/{user_id}/{invoice_id}/issue": OPERATOR,
    "POST /v1/admin/invoices/{user_id}/{invoice_id}/reject": OPERATOR,
    "GET /v1/admin/red-notes": OPERATOR,
    "POST /v1/admin/red-notes/{user_id}/{note_id}/write": OPERATOR,
    "GET /v1/admin/disputes": OPERATOR,
    "POST /v1/admin/disputes/{order_id}": OPERATOR,
    "POST /v1/alipay/notify": OPEN,
    "GET /v1/alipay/return": OPEN,
    "POST /v1/wechat/notify": OPEN,
    "POST /v1/stripe/notify": OPEN,
    "GET /v1/wechat/return": OPEN,
    "GET /v1/stripe/return": OPEN,
    "GET /v1/quota": SELF,
    "POST /v1/quota/check": SELF,
    "GET /v1/ledger": SELF,
    "GET /v1/usage": SELF,
    "GET /v1/usage/jobs/{job_id}": OWNER,
    "GET /v1/statements/{month}": SELF,
    "GET /v1/statements/{month}/entries": SELF,
    "GET /v1/prices": OPEN,
    "GET /v1/plans": OPEN,
    "GET /v1/channels": OPEN,
    "POST /v1/admin/users/{user_id}/freeze": OPERATOR,
    "POST /v1/admin/users/{user_id}/unfreeze": OPERATOR,
    "POST /v1/admin/adjustments": OPERATOR,
    "POST /v1/jobs": SELF,
    "GET /v1/jobs": SELF,
    "GET /v1/jobs/{job_id}": OWNER,
    "POST /v1/jobs/{job_id}/cancel": OWNER,
    "GET /v1/jobs/{job_id}/attempts": OWNER,
    "GET /v1/jobs/{job_id}/events": OWNER,
    "GET /v1/jobs/{job_id}/logs": OWNER,
    "GET /v1/jobs/{job_id}/outputs": OWNER,
    "POST /v1/uploads": SELF,
    "GET /v1/uploads/{upload_id}": OWNER,
    "GET /v1/templates": SELF,
    "GET /v1/templates/{template}": SELF,
    "GET /v1/admin/templates": OPERATOR,
    "POST /v1/admin/templates": OPERATOR,
    "POST /v1/admin/templates/{template}/retire": OPERATOR,
    "POST /v1/hosts/codes": OPERATOR,
    "GET /v1/hosts": OPERATOR,
    "GET /v1/hosts/{host_id}": OPERATOR,
    "POST /v1/hosts/{host_id}/drain": OPERATOR,
    "POST /v1/hosts/{host_id}/undrain": OPERATOR,
    "POST /v1/hosts/{host_id}/revoke": OPERATOR,
    "POST /v1/agent/enrol": OPEN,
    "POST /v1/agent/credentials": HOST,
    "POST /v1/agent/heartbeat": LIFE,
    "POST /v1/agent/assignments": LIFE,
    "POST /v1/agent/claims": LIFE,
    "POST /v1/agent/reports": LIFE,
    "POST /v1/agent/outputs": CLAIM,
    "POST /v1/agent/logs": HOST,
}
SCHEMES = {
    Scheme.NONE: (OPEN,),
    Scheme.SESSION: (SELF, OWNER, OPERATOR),
    Scheme.HOST: (HOST, LIFE, CLAIM),
}


def test_every_route_has_its_row_and_every_row_every_caller(port: Port) -> None:
    assert MATRIX.keys() == ROUTES.keys()
    assert {*CALLERS} == {*port.callers}
    assert all({*row} == {*CALLERS} for row in MATRIX.values())


@pytest.mark.parametrize("name", MATRIX)
def test_a_route_declares_what_its_row_says(name: str) -> None:
    auth = ROUTES[name][1].auth

    assert any(MATRIX[name] is row for row in SCHEMES[auth.scheme])
    assert (auth.role is Role.ADMIN) is (MATRIX[name] is OPERATOR)
    assert not name.split(" ")[1].startswith(("/v1/admin/", "/v1/hosts")) or auth.role is Role.ADMIN


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", MATRIX)
def test_a_caller_is_let_in_or_refused_as_the_matrix_says(
    port: Port, name: str, caller: str
) -> None:
    expected, token = MATRIX[name][caller], port.callers[caller]
    call = good(port, name)

    if expected is LET_IN:
        answer = port.ask(name, call, token)
        assert answer.status == ROUTES[name][1].status, answer.text
        return

    with port.unchanged():
        answer = port.ask(name, call, token)
    require_problem(answer, expected)


@pytest.mark.parametrize("caller", ["other", "admin"])
@pytest.mark.parametrize("name", [name for name, row in MATRIX.items() if row is OWNER])
def test_what_is_anothers_cannot_be_told_from_what_is_not_there(
    port: Port, name: str, caller: str
) -> None:
    call, token = good(port, name), port.callers[caller]
    nothing = Call(
        path={part: value[:-4] + "zzzz" for part, value in call.path.items() if value},
        query=call.query,
        body=call.body,
        headers=call.headers,
    )

    others, unknown = port.ask(name, call, token), port.ask(name, nothing, token)

    assert others.status == unknown.status == 404
    assert others.json | {"request_id": ""} == unknown.json | {"request_id": ""}
    assert others.headers == unknown.headers


@pytest.mark.parametrize(
    "name", [name for name, row in MATRIX.items() if row is SELF and name.startswith("GET")]
)
def test_a_list_holds_nothing_of_anybody_else(port: Port, name: str) -> None:
    call = Call(path=good(port, name).path)

    mine = port.ask(name, call, port.callers["owner"])
    others = port.ask(name, call, port.callers["other"])

    assert (mine.status, others.status) == (200, 200)
    assert not _ids(mine.json) & _ids(others.json)
    assert port.owner.account not in others.text
    assert port.owner.email not in others.text


def test_a_host_that_calls_for_another_moves_nothing_of_it(port: Port) -> None:
    call = good(port, "POST /v1/agent/logs")

    with port.unchanged():
        answer = port.ask("POST /v1/agent/logs", call, port.other_agent.token)

    assert [each["closed"] for each in answer.json["positions"]] == [True]


def test_a_host_is_given_its_own_mailbox_whoever_asks_beside_it(port: Port) -> None:
    for agent in (port.agent, port.other_agent, port.draining):
        answer = port.ask("POST /v1/agent/credentials", Call(), agent.token)

        assert answer.json["mailbox_queue_url"].endswith(agent.id)


def test_an_operator_cannot_ban_itself_or_lower_itself(port: Port) -> None:
    path, token = {"user_id": port.admin.account}, port.callers["admin"]

    for verb, body in (("ban", None), ("unban", None), ("role", {"role": "user"})):
        with port.unchanged():
            call = Call(path=path, body=body)
            answer = port.ask(f"POST /v1/admin/users/{{user_id}}/{verb}", call, token)

        require_problem(answer, FORBIDDEN)


@pytest.mark.parametrize("name", [name for name, row in MATRIX.items() if row is OPERATOR])
def test_an_operator_no_more_is_refused_at_the_next_request(port: Port, name: str) -> None:
    first = Call(path={"user_id": port.owner.account}, body={"role": "admin"})
    role = "POST /v1/admin/users/{user_id}/role"
    assert port.ask(role, first, port.callers["admin"]).status == 200
    second = Call(path={"user_id": port.admin.account}, body={"role": "user"})
    assert port.ask(role, second, port.callers["owner"]).status == 200

    with port.unchanged():
        answer = port.ask(name, good(port, name), port.callers["admin"])

    require_problem(answer, FORBIDDEN)


def _ids(found: Any) -> set[str]:
    """Find every id in an answer."""
    match found:
        case dict():
            return set().union(*map(_ids, found.values()))
        case list():
            return set().union(*map(_ids, found))
        case str() if found[3:4] == "_":
            return {found}
        case _:
            return set()
