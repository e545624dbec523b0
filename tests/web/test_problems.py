"""Problems: statuses, languages, and only the facts that a refusal has."""

import json

import pytest

from tests.fixtures.edge import settings
from wharfage.domain import errors
from wharfage.web import problems


def document(refusal: errors.Refused, language: str = "en") -> dict[str, object]:
    found: dict[str, object] = json.loads(
        problems.document(refusal, request_id="r", language=language, settings=settings())
    )
    return found


def test_a_refusal_without_a_row_of_its_own_has_its_parents():
    class Stranger(errors.StateConflict):
        code = "stranger"

    assert problems.row(Stranger).status == 409
    assert document(Stranger(state="odd"))["code"] == "stranger"


def test_a_refusal_that_nobody_placed_is_ours_to_answer_for():
    assert problems.row(errors.Refused).status == 500


def test_the_code_is_not_translated_and_the_title_is():
    english, chinese = (document(errors.Banned(), each) for each in ("en", "zh"))

    assert english["code"] == chinese["code"] == "banned"
    assert (english["title"], chinese["title"]) == ("This account is banned", "账号已被封禁")


def test_faults_are_listed_with_their_pointers():
    problem = document(errors.fault("/a/0", "range", "Too much."))

    assert problem["errors"] == [{"pointer": "/a/0", "code": "range", "message": "Too much."}]


def test_the_type_leads_to_the_page_of_the_code():
    assert document(errors.Banned())["type"] == "http://127.0.0.1:8080/v1/errors/banned"


def test_who_came_too_often_is_told_when_to_come_back():
    refusal = errors.RateLimited(action="act", limit=3, window_seconds=60, retry_after_seconds=17)

    headers = problems.headers(refusal)

    assert headers["Retry-After"] == "17"
    assert headers["RateLimit"] == '"act";r=0;t=17'
    assert document(refusal)["detail"] == "Try again in 17 seconds."


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,zh;q=0.9", "en"),
        ("fr, zh;q=0.1", "zh"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=x", "en"),
        ("zh;q=nan", "en"),
        (",;,;q", "en"),
    ],
)
def test_the_language_is_the_one_that_is_liked_best(header, language):
    assert problems.language_of(header) == language
