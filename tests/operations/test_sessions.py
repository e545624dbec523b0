"""Sessions: rotation, reuse, ends, and one read to find out who is asking."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pytest

from tests.fixtures.edge import HandClock, ports
from wharfage import schema
from wharfage.adapters.store import RecordStore
from wharfage.domain import limits
from wharfage.domain.errors import (
    NotFound,
    RateLimited,
    SessionEnded,
    Unauthenticated,
    WrongCredentials,
)
from wharfage.operations import accounts, sessions

PASSWORD = "correct horse battery"
ADDRESS = "192.0.2.1"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def world(clock):
    made = ports(clock)
    accounts.register(made, email="a@example.com", password=PASSWORD, address=ADDRESS)
    return made


def sign_in(world, email="a@example.com", password=PASSWORD):
    return sessions.sign_in(world, email=email, password=password, address=ADDRESS)


def test_a_sign_in_gives_tokens_that_name_account_and_session(world):
    tokens = sign_in(world)

    who = sessions.authenticate(world, tokens.access_token)
    assert (who.account, who.session) == (tokens.account, tokens.session)


def test_no_token_is_in_the_store(world):
    tokens = sign_in(world)

    row = world.store.get(schema.SESSION.key(account=tokens.account, id=tokens.session))
    assert tokens.refresh_token.rpartition(".")[2] not in str(msgspec.to_builtins(row))


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("a@example.com", "wrong horse battery"),
        ("b@example.com", PASSWORD),
        ("", PASSWORD),
        ("a@example.com", ""),
        ("a@example.com", "x" * 1_000_000),
        ("\ud800", PASSWORD),
    ],
)
def test_unknown_and_wrong_are_answered_alike(world, email, password):
    with pytest.raises(WrongCredentials) as refused:
        sign_in(world, email, password)

    assert refused.value.facts == {}


def test_tries_at_one_account_are_throttled_before_the_hash(world):
    verified = []

    class Passwords:
        def hash(self, password: str) -> str:
            raise AssertionError("nothing is hashed anew")

        def verify(self, password_hash: str | None, password: str) -> bool:
            verified.append(password)
            return False

    watched = replace(world, passwords=Passwords())
    for _ in range(limits.SIGN_INS_PER_EMAIL):
        with pytest.raises(WrongCredentials):
            sign_in(watched)
    with pytest.raises(RateLimited):
        sign_in(watched, email="A@EXAMPLE.com")

    assert len(verified) == limits.SIGN_INS_PER_EMAIL


def test_an_access_token_ends_by_itself(world, clock):
    token = sign_in(world).access_token

    clock.pass_(seconds=limits.ACCESS_TOKEN_SECONDS)

    with pytest.raises(Unauthenticated):
        sessions.authenticate(world, token)


def test_a_refresh_gives_new_tokens_and_the_session_goes_on(world, clock):
    first = sign_in(world)
    clock.pass_(minutes=20)

    second = sessions.refresh(world, first.refresh_token)

    assert second.session == first.session
    assert second.refresh_token != first.refresh_token
    assert sessions.authenticate(world, second.access_token).session == first.session


def test_a_refresh_token_that_is_used_again_ends_the_session(world):
    first = sign_in(world)
    second = sessions.refresh(world, first.refresh_token)

    with pytest.raises(SessionEnded):
        sessions.refresh(world, first.refresh_token)

    with pytest.raises(SessionEnded):
        sessions.refresh(world, second.refresh_token)
    with pytest.raises(SessionEnded):
        sessions.authenticate(world, second.access_token)


def test_reuse_ends_only_its_own_session(world):
    other, first = sign_in(world), sign_in(world)
    sessions.refresh(world, first.refresh_token)
    with pytest.raises(SessionEnded):
        sessions.refresh(world, first.refresh_token)

    assert sessions.authenticate(world, other.access_token).session == other.session


def test_of_many_refreshes_at_once_at_most_one_succeeds_and_the_session_ends(world):
    token = sign_in(world).refresh_token

    def attempt(_: int) -> bool:
        try:
            sessions.refresh(world, token)
        except SessionEnded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) <= 1
    account, session = token.split(".")[:2]
    row = world.store.get(schema.SESSION.key(account=account, id=session))
    assert row.ended_at is not None


def test_a_refresh_token_lives_for_thirty_days_from_its_last_use(world, clock):
    token = sign_in(world).refresh_token
    clock.pass_(days=29)
    token = sessions.refresh(world, token).refresh_token
    clock.pass_(days=29)
    token = sessions.refresh(world, token).refresh_token
    clock.pass_(days=30)

    with pytest.raises(SessionEnded):
        sessions.refresh(world, token)


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "x" * 300, "é.é.é", "a.#.c", "usr_1..x"]
)
def test_what_is_no_refresh_token_is_refused(world, token):
    with pytest.raises(Unauthenticated):
        sessions.refresh(world, token)


def test_neither_token_does_for_the_other(world):
    tokens = sign_in(world)

    with pytest.raises(Unauthenticated):
        sessions.authenticate(world, tokens.refresh_token)
    with pytest.raises(Unauthenticated):
        sessions.refresh(world, tokens.access_token)


def test_a_refresh_token_of_one_account_does_not_open_another(world):
    accounts.register(world, email="b@example.com", password=PASSWORD, address=ADDRESS)
    ours, theirs = sign_in(world), sign_in(world, "b@example.com")
    _, session, secret = ours.refresh_token.split(".")

    with pytest.raises(Unauthenticated):
        sessions.refresh(world, f"{theirs.account}.{session}.{secret}")


def test_signing_out_ends_the_session_and_a_repeat_agrees(world):
    tokens = sign_in(world)
    who = sessions.authenticate(world, tokens.access_token)

    sessions.sign_out(world, who)
    sessions.sign_out(world, who)

    with pytest.raises(SessionEnded):
        sessions.authenticate(world, tokens.access_token)
    with pytest.raises(SessionEnded):
        sessions.refresh(world, tokens.refresh_token)


def test_live_sessions_are_listed_and_one_can_be_ended(world, clock):
    first, second = sign_in(world), sign_in(world)
    who = sessions.authenticate(world, first.access_token)

    before = sessions.find_all(world, who, after=None, limit=10).items
    sessions.revoke(world, who, second.session)
    after = sessions.find_all(world, who, after=None, limit=10).items

    assert {each.id: each.current for each in before} == {
        first.session: True,
        second.session: False,
    }
    assert [each.id for each in after] == [first.session]


def test_another_accounts_session_is_not_found(world):
    accounts.register(world, email="b@example.com", password=PASSWORD, address=ADDRESS)
    ours, theirs = sign_in(world), sign_in(world, "b@example.com")
    who = sessions.authenticate(world, ours.access_token)

    with pytest.raises(NotFound):
        sessions.revoke(world, who, theirs.session)
    assert sessions.authenticate(world, theirs.access_token).session == theirs.session


def test_finding_out_who_asks_costs_one_batch_read_of_two_rows(world):
    token = sign_in(world).access_token
    reads: list[int] = []

    class Counted(RecordStore):
        """The world's store, which counts what is read in one batch and can do nothing else."""

        def __init__(self) -> None:
            """Have no rows."""

        def get_many(self, keys):
            reads.append(len(keys))
            return world.store.get_many(keys)

    sessions.authenticate(replace(world, store=Counted()), token)

    assert reads == [2]
