"""The client as a library: kept connections, and repeats only of what may be repeated."""

import pytest

from tests.client.playing import Api
from tests.client.said import Answering, Script, Session
from wharfage_client import errors
from wharfage_client.api import Client, FixedToken
from wharfage_client.transport import TRIES, Transport


def client_of(api: Api, session: Session, pauses: list[float] | None = None) -> Client:
    waited = [] if pauses is None else pauses
    transport = Transport(api.url, timeout_seconds=5, pause=waited.append)
    return Client(api.url, keeper=FixedToken(session.access), sender=transport)


def drop(handler: Answering) -> None:
    handler.drop()


def busy(handler: Answering) -> None:
    handler.send(503, {"Retry-After": "2"}, {"code": "unavailable", "title": "Not now"})


def test_one_connection_serves_many_reads(api: Api):
    with client_of(api, api.sign_in()) as client:
        for _ in range(5):
            client.quota.show()

    assert len({seen.peer for seen in api.seen}) == 1


def test_a_read_is_repeated_with_longer_and_longer_pauses(api: Api):
    pauses: list[float] = []
    api.faults.extend([drop, drop, drop])

    with client_of(api, api.sign_in(), pauses) as client:
        assert client.quota.show()["available_fen"] == 5000

    assert len(pauses) == 3
    assert pauses == sorted(pauses)


def test_a_read_is_given_up_after_so_many_tries(api: Api):
    api.faults.extend([drop] * 10)

    with client_of(api, api.sign_in()) as client, pytest.raises(errors.Unreachable):
        client.quota.show()

    assert len(api.seen) == TRIES


def test_the_api_says_how_long_to_wait(api: Api):
    pauses: list[float] = []
    api.faults.append(busy)

    with client_of(api, api.sign_in(), pauses) as client:
        client.quota.show()

    assert pauses == [2.0]


def test_a_wait_that_is_too_long_is_the_callers_to_decide(api: Api):
    problem = {"code": "rate_limited", "title": "Too many requests"}
    api.faults.append(lambda handler: handler.send(429, {"Retry-After": "60"}, problem))

    with client_of(api, api.sign_in()) as client, pytest.raises(errors.Temporary) as caught:
        client.quota.show()

    assert caught.value.code == "rate_limited"


def test_a_submit_is_repeated_with_the_same_key(api: Api):
    api.faults.extend([drop, busy])

    with client_of(api, api.sign_in()) as client:
        client.jobs.submit({"image": "busybox"})

    assert len({seen.headers["idempotency-key"] for seen in api.seen}) == 1
    assert len(api.seen) == 3


@pytest.mark.parametrize("fault", [drop, busy])
def test_what_has_no_key_and_is_not_safe_is_sent_once(api: Api, fault: object):
    api.faults.extend([fault] * 4)  # type: ignore[list-item]

    with client_of(api, api.sign_in()) as client, pytest.raises(errors.WharfageError):
        client.account.register("ann@example.com", "x" * 12)

    assert len(api.seen) == 1


def test_what_is_sent_once_does_not_use_a_connection_that_may_be_dead(api: Api):
    with client_of(api, api.sign_in()) as client:
        client.quota.show()
        client.hosts.issue_code(pool="default", labels={})

    assert len({seen.peer for seen in api.seen}) == 2


def test_a_job_is_submitted_followed_and_read(api: Api):
    api.next_script = Script(steps=[], log=[("stdout", b"ahoy\n"), ("stderr", b"\xff")])

    with client_of(api, api.sign_in()) as client:
        job = client.jobs.submit({"image": "busybox"}, key="mine")
        parts = list(client.jobs.logs(job["id"], follow=True))
        again = client.jobs.submit({"image": "busybox"}, key="mine")

    assert [(part.stream, part.data) for part in parts] == [
        ("stdout", b"ahoy\n"),
        ("stderr", b"\xff"),
    ]
    assert again["id"] == job["id"]


def test_lists_are_read_page_by_page(api: Api):
    with client_of(api, api.sign_in()) as client:
        made = [client.jobs.submit({"image": "busybox"})["id"] for _ in range(130)]
        found = [job["id"] for job in client.jobs.newest(most=125)]
        page = client.jobs.page(limit=2)

    assert found == made[::-1][:125]
    assert [job["id"] for job in page.items] == made[:-3:-1]
    assert page.next_cursor == "2"


def test_without_anybody_signed_in_nothing_is_sent(api: Api):
    with Client(api.url) as client, pytest.raises(errors.LocalError, match="not_signed_in"):
        client.quota.show()

    assert api.seen == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.NotSignedIn), (402, errors.NoFunds), (403, errors.Forbidden),
        (404, errors.NotFound), (409, errors.Conflict), (422, errors.Rejected),
        (503, errors.Temporary),
    ],
)  # fmt: skip
def test_a_problem_becomes_the_exception_of_its_status(status: int, kind: type[errors.ApiError]):
    fault = {"pointer": "/a", "code": "b", "message": "c"}
    problem = {"code": "k", "title": "t", "detail": "d", "request_id": "r", "errors": [fault, 7]}

    error = errors.api_error(status, problem | {"required_fen": 5})

    assert type(error) is kind
    assert (error.code, error.title, error.detail, error.request_id) == ("k", "t", "d", "r")
    assert (error.errors, error.facts) == ([fault], {"required_fen": 5})
