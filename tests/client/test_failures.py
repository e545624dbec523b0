"""Errors: five fields in two languages, and exit codes that programs can rely on."""

from string import Formatter

import pytest

from tests.client.conftest import Run
from tests.client.playing import Api
from tests.client.said import Answering
from wharfage_client.errors import LocalError, api_error
from wharfage_client.failure import exit_code, explain
from wharfage_client.words import ADVICE, TEXTS, Words, language_of


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, 2), (405, 2), (413, 2), (415, 2), (422, 2), (401, 4), (402, 5), (403, 1), (404, 3),
        (409, 6), (412, 6), (429, 7), (500, 7), (503, 7),
    ],
)  # fmt: skip
def test_each_status_has_its_exit_code(
    api: Api, run: Run, signed_in: object, status: int, code: int
):
    problem = {"code": "x", "title": "T", "status": status, "request_id": "req-9"}

    def refuse(handler: Answering) -> None:
        handler.send(status, {"Content-Type": "application/problem+json"}, problem)

    api.faults.extend([refuse] * 8)

    result = run("quota")

    assert result.code == code


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        ("en", ["error: wharfage show failed", "why: There is no such thing", "do: Do so.",
                "code: not_found", "request: req-1"]),
        ("zh", ["错误: wharfage show 失败", "原因: 标题", "建议: Do so.", "代码: not_found",
                "请求号: req-1"]),
    ],
)  # fmt: skip
def test_an_error_says_five_things(run: Run, signed_in: object, language: str, wanted: list[str]):
    result = run("show", "job_" + "9" * 26, WHARFAGE_LANG=language)

    assert result.code == 3
    assert [line.strip() for line in result.err.decode().splitlines()] == wanted


def test_an_error_as_json_is_one_object_on_stderr_with_the_five_fields(run: Run, signed_in: object):
    result = run("show", "--json", "job_" + "9" * 26)

    assert result.out == b""
    assert set(result.error) == {"what", "why", "do", "code", "request_id"}


def test_every_wrong_place_of_a_request_is_told(run: Run, signed_in: object):
    result = run("run", "Bad")

    assert b"/image: Not an image." in result.err


def test_a_mistyped_command_is_guessed(run: Run):
    result = run("topp", "5")

    assert result.code == 2
    assert b"Did you mean topup" in result.err


def test_without_a_server_it_says_how_to_name_one(run: Run):
    result = run("ps", "--json", WHARFAGE_URL="")

    assert result.code == 2
    assert result.error["code"] == "no_server"


@pytest.mark.parametrize(
    "url", ["http://example.com", "http://10.0.0.1:80", "http://localhost.evil.example"]
)
def test_no_token_crosses_a_network_in_the_clear(run: Run, signed_in: object, url: str):
    result = run("ps", "--json", "--url", url)

    assert result.code == 2
    assert result.error["code"] == "insecure_url"


@pytest.mark.parametrize(
    "url", ["ftp://localhost", "localhost:8000", "http://u:p@localhost", "http://", "http://[::1",
            "https://x.example/?a=1", "http://localhost:99999"],
)  # fmt: skip
def test_what_is_no_address_is_refused(run: Run, signed_in: object, url: str):
    result = run("ps", "--json", "--url", url)

    assert result.code == 2
    assert result.error["code"] == "bad_url"


@pytest.mark.parametrize(
    ("status", "body"), [(200, None), (200, ["a"]), (302, {}), (502, {"message": "x"}), (404, {})]
)
def test_something_that_is_not_the_api_is_told_apart(
    api: Api, run: Run, signed_in: object, status: int, body: object
):
    api.faults.extend([lambda handler: handler.send(status, {}, body)] * 4)

    result = run("quota", "--json")

    assert result.code == 7
    assert result.error["code"] == "not_the_api"


def test_text_of_others_does_not_command_the_terminal(api: Api, run: Run, signed_in: object):
    problem = {"code": "x", "title": "T\x1b]0;owned\x07", "status": 422}
    api.faults.append(lambda handler: handler.send(422, {}, problem))

    result = run("quota")

    assert b"\x1b" not in result.err


def test_a_fault_of_our_own_is_five_fields_too(api: Api, run: Run, signed_in: object):
    api.faults.append(lambda handler: handler.send(200, {}, {"unexpected": True}))

    result = run("quota")

    assert result.code == 1
    assert b"code: internal_client_error" in result.err
    assert b"Traceback" not in result.err


def test_the_configuration_file_names_servers_and_is_checked(
    api: Api, run: Run, session_file: object, tmp_path
):
    file = tmp_path / "config" / "wharfage" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'profile = "work"\n[profiles.work]\nurl = "{api.url}/"\n')
    named = run("open", WHARFAGE_URL="")

    file.write_text('profil = "work"\n')
    mistyped = run("open", "--json")

    assert named.out.decode() == f"{api.url}/\n"
    assert mistyped.error["code"] == "config_file"
    assert "profil" in mistyped.error["why"]


def test_both_languages_of_every_text_name_the_same_facts():
    def facts(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    pairs = {key: texts for key, texts in TEXTS.items() if not key.startswith("waiting.")}
    assert [key for key, (en, zh) in pairs.items() if facts(en) != facts(zh)] == []
    for code, (why, why_zh, todo, todo_zh) in ADVICE.items():
        assert (facts(why), facts(todo)) == (facts(why_zh), facts(todo_zh)), code


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "WHARFAGE_LANG": "zh"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_language_is_the_locales_unless_ours_is_set(environ: dict[str, str], language: str):
    assert language_of(environ) == language


def test_an_error_of_a_newer_api_is_told_in_its_own_words():
    error = api_error(418, {"code": "teapot", "title": "No coffee", "detail": "Ask for tea."})

    failure = explain(error, "wharfage run", Words("zh"))

    assert (failure.why, failure.todo, failure.code) == ("No coffee", "Ask for tea.", "teapot")
    assert exit_code(error) == 2


def test_a_local_error_without_a_text_of_its_own_is_still_told():
    failure = explain(LocalError("new"), "wharfage run", Words("en"))

    assert (failure.code, exit_code(LocalError("new"))) == ("new", 1)
