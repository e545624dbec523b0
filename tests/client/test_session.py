"""The session file: rotation, one refresh at a time, and nobody else's server."""

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.client.conftest import COMMAND, Run
from tests.client.playing import PASSWORD, Api
from tests.client.serving import Server
from wharfage_client.api import Client
from wharfage_client.errors import LocalError, NotSignedIn
from wharfage_client.session import StoredSession

EMAIL = "ann@example.com"


def login(run: Run) -> None:
    result = run("login", "--email", EMAIL, "--password-stdin", stdin=PASSWORD.encode() + b"\n")
    assert result.code == 0, result.err


def test_a_session_is_kept_in_a_file_only_its_owner_can_read(run: Run, session_file: Path):
    before = os.umask(0)
    try:
        login(run)
    finally:
        os.umask(before)

    assert session_file.stat().st_mode & 0o777 == 0o600
    assert session_file.parent.stat().st_mode & 0o777 == 0o700
    assert PASSWORD not in session_file.read_text()


def test_a_session_serves_the_next_command_without_any_environment(
    api: Api, run: Run, environ: dict[str, str]
):
    login(run)
    del environ["WHARFAGE_URL"]

    result = run("me", "--json")

    assert result.json["email"] == EMAIL


def test_an_access_token_that_ran_out_is_renewed_once_and_the_new_refresh_token_kept(
    api: Api, run: Run, session_file: Path
):
    login(run)
    api.expire()

    first, second = run("me"), run("me")

    assert (first.code, second.code) == (0, 0)
    assert len(api.of("POST", "/v1/auth/refresh")) == 1
    assert json.loads(session_file.read_text())["refresh_token"] == api.sessions[-1].refresh


def test_the_new_refresh_token_is_on_disk_before_the_new_access_token_is_used(
    api: Api, run: Run, session_file: Path
):
    login(run)
    api.expire()
    found: list[str] = []
    get_me = api._get_me

    def look(seen, rest):
        found.append(json.loads(session_file.read_text())["refresh_token"])
        return get_me(seen, rest)

    api._get_me = look  # type: ignore[method-assign]
    run("me")

    assert found == [api.sessions[-1].refresh]


def test_processes_that_refresh_at_once_do_not_use_one_refresh_token_twice(
    api: Api, run: Run, environ: dict[str, str]
):
    login(run)
    api.expire()

    children = [
        subprocess.Popen([*COMMAND, "me"], env=environ, stdout=subprocess.PIPE) for _ in range(6)
    ]
    codes = [(child.communicate(timeout=30), child.returncode)[1] for child in children]

    assert codes == [0] * 6
    assert len(api.of("POST", "/v1/auth/refresh")) == 1
    assert not api.sessions[-1].ended


def test_threads_of_one_process_refresh_once(api: Api, tmp_path: Path):
    session = StoredSession(tmp_path / "session.json", url=api.url)
    with Client(api.url) as client:
        session.keep(client.account.sign_in(EMAIL, PASSWORD), email=EMAIL)
    api.expire()
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            with Client(api.url, keeper=session) as client:
                client.quota.show()
        except Exception as error:  # noqa: BLE001 - it is what the test looks at.
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(api.of("POST", "/v1/auth/refresh")) == 1


def test_a_session_that_ended_asks_to_sign_in_and_forgets_its_tokens(
    api: Api, run: Run, session_file: Path
):
    login(run)
    api.expire()
    api.sessions[-1].ended = True

    result = run("me")

    assert result.code == 4
    assert b"wharfage login" in result.err
    assert json.loads(session_file.read_text()) == {"url": api.url, "email": EMAIL}


def test_a_refresh_whose_answer_is_lost_is_not_sent_again(api: Api, tmp_path: Path):
    session = StoredSession(tmp_path / "session.json", url=api.url)
    with Client(api.url, keeper=session) as client:
        session.keep(client.account.sign_in(EMAIL, PASSWORD), email=EMAIL)
        api.expire()
        api.faults.extend([lambda handler: handler.send(401, {}, refused), lambda h: h.drop()])

        with pytest.raises(Exception, match="unreachable"):
            client.quota.show()

    assert len(api.of("POST", "/v1/auth/refresh")) == 1


refused = {"code": "unauthenticated", "title": "Sign in first", "status": 401}


def test_a_token_from_the_environment_is_never_renewed(api: Api, run: Run, session_file: Path):
    login(run)

    result = run("me", WHARFAGE_TOKEN="another")

    assert result.code == 4
    assert b"WHARFAGE_TOKEN" in result.err
    assert api.of("POST", "/v1/auth/refresh") == []


def test_the_tokens_of_one_server_are_not_shown_to_another(api: Api, run: Run):
    login(run)

    with Server() as other:
        result = run("me", "--url", other.url)

        assert other.seen == []
    assert result.code == 4


def test_profiles_are_sessions_of_their_own(api: Api, run: Run):
    login(run)

    result = run("me", "--profile", "work")

    assert result.code == 4


@pytest.mark.parametrize("name", ["../x", "", "a/b", "x" * 33])
def test_the_name_of_a_profile_is_not_a_path(run: Run, name: str):
    result = run("--json", "me", WHARFAGE_PROFILE=name or "a b")

    assert result.code == 2
    assert result.error["code"] == "bad_profile"


def test_logout_ends_the_session_there_and_forgets_it_here(api: Api, run: Run, session_file: Path):
    login(run)

    result = run("logout")

    assert result.code == 0
    assert len(api.of("POST", "/v1/auth/logout")) == 1
    assert "access_token" not in json.loads(session_file.read_text())
    assert run("logout").code == 0


def test_a_torn_session_file_is_said_and_not_overwritten(run: Run, session_file: Path):
    session_file.parent.mkdir(parents=True)
    session_file.write_text('{"url": ')

    result = run("--json", "me")

    assert result.error["code"] == "session_file"
    assert str(session_file) in result.error["why"]


def test_a_wrong_password_is_not_kept_and_not_shown(run: Run, session_file: Path):
    result = run("login", "--email", EMAIL, "--password-stdin", stdin=b"hunter2\n")

    assert result.code == 4
    assert b"hunter2" not in result.err + result.out
    assert not session_file.exists()


def test_nothing_is_asked_where_nobody_is(run: Run):
    result = run("login", "--json")

    assert result.code == 2
    assert result.error["code"] == "prompt_needed"


def test_register_makes_the_account_and_signs_in(api: Api, run: Run, tmp_path: Path):
    code = tmp_path / "code"
    code.write_text("0p3r4t0r\n")
    given = ("--email", EMAIL, "--password-stdin", "--json")

    customer = run("register", *given, stdin=PASSWORD.encode())
    operator = run("register", *given, "--operator-code-file", str(code), stdin=PASSWORD.encode())

    assert customer.json["signed_in"] is True
    assert operator.json["signed_in"] is True
    assert api.of("POST", "/v1/auth/operator")[0].body["code"] == "0p3r4t0r"


def test_a_session_without_a_server_cannot_be_kept(tmp_path: Path, api: Api):
    with Client(api.url) as client:
        tokens = client.account.sign_in(EMAIL, PASSWORD)

    with pytest.raises(LocalError, match="no_server"):
        StoredSession(tmp_path / "session.json", url=None).keep(tokens, email=EMAIL)


def test_a_fixed_token_that_is_refused_says_so(api: Api):
    with Client(api.url, token="nothing") as client, pytest.raises(LocalError) as caught:
        client.quota.show()

    assert caught.value.code == "token_refused"
    assert caught.value.request_id == "req-1"
    assert isinstance(caught.value.__context__, NotSignedIn)
