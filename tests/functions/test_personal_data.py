"""People's data is masked wherever it leaves: in every log line, and in answers to others."""

import json
import logging

import pytest

from tests.fixtures.calls import good
from tests.fixtures.port import ROUTES, Call, Port

EMAIL = "zhang.wei.planted@example.com"
PHONE = "13876543210"
BUYER = "2088123412341234"
TAX_NUMBER = "91350100M000100Y43"
PLANTED = (EMAIL, PHONE, BUYER, TAX_NUMBER)
PASSWORD = "correct horse battery"


def register(port: Port) -> str:
    body = {"email": EMAIL, "password": PASSWORD}
    port.ask("POST /v1/auth/register", Call(body=body))
    return str(port.ask("POST /v1/auth/login", Call(body=body)).json["access_token"])


def test_no_line_of_a_journey_names_a_person(
    port: Port, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = register(port)
    said = {"x-name": " ".join(PLANTED), "user-agent": EMAIL}
    for name, (_, route) in ROUTES.items():
        call = good(port, name)
        wrong = dict.fromkeys(route.path_types, EMAIL)
        port.ask(name, Call(path=wrong, body=call.body, headers={**call.headers, **said}), token)
        port.ask(name, Call(path=call.path, query=f"limit={PHONE}&x={EMAIL}"), token)
        port.ask(name, Call(path=call.path, raw=f'"{EMAIL} {BUYER}"'.encode()), token)

    def broken(*_arguments: object) -> None:
        raise RuntimeError(f"a row of {EMAIL}, {PHONE}, {BUYER}")

    monkeypatch.setattr(port.rows, "read", broken)
    port.ask("GET /v1/me", Call(), token)

    written = capsys.readouterr().out
    assert "RuntimeError: a row of z***@example.com, 138****3210, 2088****1234" in written
    assert [each for each in PLANTED if each in written] == []


@pytest.mark.parametrize("planted", PLANTED)
def test_messages_facts_and_traces_are_masked_alike(
    planted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = logging.getLogger("wharfage.tests")

    log.warning("said %s", planted, extra={"action": "test", "reason": {"deep": [planted]}})
    try:
        raise ValueError(planted)
    except ValueError:
        log.exception("failed")

    written = capsys.readouterr().out
    assert len(written.splitlines()) == 2
    assert all(json.loads(line) for line in written.splitlines())
    assert planted not in written


def test_only_its_owner_is_shown_the_whole_address(port: Port) -> None:
    token = register(port)
    admin = port.callers["admin"]
    account = port.ask("GET /v1/me", Call(), token).json
    path = {"user_id": account["id"]}

    to_others = [
        port.ask("GET /v1/admin/users", Call(), admin),
        port.ask("GET /v1/admin/users", Call(query=f"email={EMAIL}"), admin),
        port.ask("POST /v1/admin/users/{user_id}/ban", Call(path=path), admin),
        port.ask("POST /v1/admin/users/{user_id}/ban", Call(path=path), admin),
        port.ask("POST /v1/admin/users/{user_id}/unban", Call(path=path), admin),
        port.ask(
            "POST /v1/admin/users/{user_id}/role", Call(path=path, body={"role": "admin"}), admin
        ),
        port.ask("POST /v1/auth/register", Call(body={"email": EMAIL, "password": PASSWORD})),
    ]

    assert account["email"] == EMAIL
    assert [answer.status for answer in to_others] == [200] * 6 + [409]
    assert not any(EMAIL in answer.text for answer in to_others)
    assert all("z***@example.com" in answer.text for answer in to_others[:6])


def test_no_event_or_audit_row_names_a_person(port: Port) -> None:
    register(port)

    kept = {"account", "directory", "email", "invoice"}
    naming = {
        item["record"]
        for key, item in port.rows.all.items()
        if any(each in f"{key} {item}" for each in PLANTED)
    }
    assert naming == kept
