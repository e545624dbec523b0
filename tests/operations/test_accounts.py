"""Accounts: one for each address, no default password, and a ban that bites at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pytest

from tests.fixtures.edge import HandClock, ports
from tests.fixtures.work import SPEC
from wharfage import schema
from wharfage.domain import limits, rate
from wharfage.domain.account import Principal, Role
from wharfage.domain.attempt import AttemptState
from wharfage.domain.errors import (
    Banned,
    CodeRejected,
    EmailTaken,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    SessionEnded,
    StateConflict,
    Unavailable,
    WrongCredentials,
)
from wharfage.operations import accounts, jobs, sessions, sweep
from wharfage.transaction import Update, present

PASSWORD = "correct horse battery"
ADDRESS = "192.0.2.1"
SPEC = msgspec.structs.replace(SPEC, image="localhost:5000/busybox")
OPERATOR = Principal(account="usr_operator", session="ses_o", role=Role.ADMIN)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def world(clock):
    return ports(clock)


def register(world, email="a@example.com", password=PASSWORD):
    return accounts.register(world, email=email, password=password, address=ADDRESS)


def sign_in(world, email="a@example.com", password=PASSWORD):
    return sessions.sign_in(world, email=email, password=password, address=ADDRESS)


def submit(world, account_id):
    """Give an account money and a waiting job."""
    key = schema.BALANCE.key(account=account_id)
    world.store.commit(Update(key, add={"available": 10_000}, when=[present()]))
    who = Principal(account=account_id, session="ses_x", role=Role.USER)
    return who, jobs.submit(world, who, SPEC, key=None).value.id


def test_a_new_account_is_a_customers_with_an_empty_balance(world):
    account = register(world)

    balance = world.store.get(schema.BALANCE.key(account=account.id))
    assert (account.role, account.banned_at) == (Role.USER, None)
    assert (balance.available, balance.held) == (0, 0)


def test_the_password_is_not_in_the_store(world):
    account = register(world)

    row = world.store.get(schema.ACCOUNT.key(id=account.id))
    assert PASSWORD not in str(msgspec.to_builtins(row))


@pytest.mark.parametrize("again", ["a@example.com", "A@Example.COM", " a@example.com "])
def test_an_address_belongs_to_one_account_however_it_is_written(world, again):
    register(world)

    with pytest.raises(EmailTaken):
        register(world, email=again)


def test_of_many_registrations_at_once_one_gets_the_address(world):
    def attempt(_: int) -> bool:
        try:
            register(world)
        except EmailTaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


@pytest.mark.parametrize(
    "email",
    [
        "", "a", "@example.com", "a@", "a@b", "a@@example.com", "a b@example.com", "a@exa mple.com",
        "a@example.com\0", "a\n@example.com", "\u202ea@example.com", "a@-example.com",
        "a@example..com", "a" * 65 + "@example.com", "a@" + "b" * 250 + ".com",
        "a@example.com,b@c.de",
        "\ud800@example.com", "a@exa_mple.com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(world, email):
    with pytest.raises(Invalid) as refused:
        register(world, email=email)

    assert refused.value.faults[0].pointer == "/email"


@pytest.mark.parametrize("email", ["a@example.com", "用户@例子.中国", "o'neil+tag@sub.example.co"])
def test_addresses_of_all_the_world_are_accepted(world, email):
    assert register(world, email=email).email == email


@pytest.mark.parametrize(
    ("password", "accepted"),
    [
        ("abcdefghi", False),
        ("abcdefghij", True),
        ("aaaaaaaaaaaa", False),
        ("aaaaaaaabc", False),
        ("a@example.com", False),
        ("A@EXAMPLE.com", False),
        ("abcdefgh\0i", True),
        ("密码密码很好用的啊" * 2, True),
        ("abcd" * 256, True),
        ("abcd" * 256 + "e", False),
        ("abcd" * 250_000, False),
        ("e\u0301a\u0301i\u0301o\u0301" * 2, False),
    ],
)
def test_a_password_must_be_long_enough_and_not_too_long(world, password, accepted):
    if accepted:
        assert register(world, password=password)
    else:
        with pytest.raises(Invalid) as refused:
            register(world, password=password)
        assert refused.value.faults[0].pointer == "/password"


def test_registrations_from_one_address_are_limited(world, monkeypatch):
    monkeypatch.setattr(rate, "REGISTRATIONS", replace(rate.REGISTRATIONS, limit=2))
    register(world, "a@example.com")
    register(world, "b@example.com")

    with pytest.raises(RateLimited):
        register(world, "c@example.com")


def test_a_new_password_ends_every_session(world):
    register(world)
    tokens = sign_in(world)
    who = sessions.authenticate(world, tokens.access_token)

    accounts.change_password(world, who, old=PASSWORD, new="another horse battery")

    with pytest.raises(SessionEnded):
        sessions.authenticate(world, tokens.access_token)
    with pytest.raises(SessionEnded):
        sessions.refresh(world, tokens.refresh_token)
    with pytest.raises(WrongCredentials):
        sign_in(world)
    assert sign_in(world, password="another horse battery")


def test_a_new_password_needs_the_old_one(world):
    register(world)
    who = sessions.authenticate(world, sign_in(world).access_token)

    with pytest.raises(WrongCredentials):
        accounts.change_password(world, who, old="wrong horse battery", new="another horse")


class TestTheFirstOperator:
    def become(self, world, code, email="op@example.com", password=PASSWORD):
        return accounts.become_operator(
            world, code=code, email=email, password=password, address=ADDRESS
        )

    def test_the_code_makes_one(self, world):
        code = accounts.open_operator_code(world)

        assert self.become(world, code).role is Role.ADMIN
        assert sessions.authenticate(world, sign_in(world, "op@example.com").access_token).role is (
            Role.ADMIN
        )

    def test_the_code_makes_an_account_that_is_there_the_operators(self, world):
        account = register(world)

        made = self.become(world, accounts.open_operator_code(world), email="A@example.com")

        assert (made.id, made.role) == (account.id, Role.ADMIN)

    def test_an_account_that_is_there_needs_its_own_password(self, world):
        register(world)
        code = accounts.open_operator_code(world)

        with pytest.raises(WrongCredentials):
            self.become(world, code, email="a@example.com", password="wrong horse battery")
        assert self.become(world, code, email="a@example.com")

    def test_the_code_works_once(self, world):
        code = accounts.open_operator_code(world)
        self.become(world, code)

        with pytest.raises(CodeRejected):
            self.become(world, code, email="second@example.com")

    def test_of_many_at_once_one_becomes_operator(self, world):
        code = accounts.open_operator_code(world)

        def attempt(number: int) -> bool:
            try:
                self.become(world, code, email=f"op{number}@example.com")
            except CodeRejected:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, range(8))) == 1

    def test_the_code_ends_after_a_day(self, world, clock):
        code = accounts.open_operator_code(world)

        clock.pass_(hours=limits.OPERATOR_CODE_HOURS)

        with pytest.raises(CodeRejected):
            self.become(world, code)

    def test_a_newer_code_makes_the_older_worthless(self, world):
        older = accounts.open_operator_code(world)
        accounts.open_operator_code(world)

        with pytest.raises(CodeRejected):
            self.become(world, older)

    def test_once_there_is_an_operator_no_code_is_made(self, world):
        self.become(world, accounts.open_operator_code(world))

        with pytest.raises(StateConflict):
            accounts.open_operator_code(world)

    @pytest.mark.parametrize("code", ["", "x", "é" * 100])
    def test_a_wrong_code_is_rejected_with_and_without_one_open(self, world, code):
        with pytest.raises(CodeRejected):
            self.become(world, code)
        accounts.open_operator_code(world)
        with pytest.raises(CodeRejected):
            self.become(world, code)

    def test_the_code_is_not_in_the_store(self, world):
        code = accounts.open_operator_code(world)

        row = world.store.get(schema.OPERATOR_CODE.key())
        assert code not in str(msgspec.to_builtins(row))


class TestBan:
    def test_every_session_ends_with_the_ban(self, world):
        account = register(world)
        first, second = sign_in(world), sign_in(world)

        accounts.ban(world, OPERATOR, account.id)

        for tokens in (first, second):
            with pytest.raises(Banned):
                sessions.authenticate(world, tokens.access_token)
            with pytest.raises(Banned):
                sessions.refresh(world, tokens.refresh_token)
        with pytest.raises(Banned):
            sign_in(world)

    def test_a_wrong_password_does_not_learn_of_the_ban(self, world):
        accounts.ban(world, OPERATOR, register(world).id)

        with pytest.raises(WrongCredentials):
            sign_in(world, password="wrong horse battery")

    def test_work_is_stopped_and_money_is_whole(self, world):
        account = register(world)
        who, job_id = submit(world, account.id)

        accounts.ban(world, OPERATOR, account.id)

        balance = world.store.get(schema.BALANCE.key(account=account.id))
        job = world.store.get(schema.JOB.key(account=account.id, id=job_id))
        assert job.state is AttemptState.CANCELLED
        assert (balance.available, balance.held) == (10_000, 0)
        with pytest.raises(Banned):
            jobs.submit(world, who, SPEC, key=None)

    def test_a_ban_that_was_cut_short_is_finished_by_the_sweep(self, world, clock, monkeypatch):
        account = register(world)
        _, job_id = submit(world, account.id)

        def die(*_: object) -> int:
            raise Unavailable

        with monkeypatch.context() as patched:
            patched.setattr(jobs, "stop_all", die)
            with pytest.raises(Unavailable):
                accounts.ban(world, OPERATOR, account.id)
        clock.pass_(seconds=1)
        sweep.sweep(world)

        job = world.store.get(schema.JOB.key(account=account.id, id=job_id))
        row = world.store.get(schema.ACCOUNT.key(id=account.id))
        assert job.state is AttemptState.CANCELLED
        assert (row.banned_at is not None, row.due_at) == (True, None)

    def test_a_repeat_agrees(self, world):
        account = register(world)

        first = accounts.ban(world, OPERATOR, account.id)

        assert accounts.ban(world, OPERATOR, account.id) == first

    def test_after_unban_the_account_signs_in_anew(self, world):
        account = register(world)
        old = sign_in(world)
        accounts.ban(world, OPERATOR, account.id)

        accounts.unban(world, OPERATOR, account.id)
        accounts.unban(world, OPERATOR, account.id)

        with pytest.raises(SessionEnded):
            sessions.authenticate(world, old.access_token)
        again = sign_in(world)
        assert sessions.authenticate(world, again.access_token).session == again.session

    def test_nobody_bans_or_demotes_oneself(self, world):
        account = register(world)
        myself = Principal(account=account.id, session="s", role=Role.ADMIN)

        for act in (accounts.ban, accounts.unban):
            with pytest.raises(Forbidden):
                act(world, myself, account.id)
        with pytest.raises(Forbidden):
            accounts.set_role(world, myself, account.id, Role.USER)

    def test_nobody_is_banned_who_is_not_there(self, world):
        with pytest.raises(NotFound):
            accounts.ban(world, OPERATOR, "usr_nobody")


def test_a_role_is_in_force_at_the_next_request(world):
    account = register(world)
    token = sign_in(world).access_token

    accounts.set_role(world, OPERATOR, account.id, Role.ADMIN)

    assert sessions.authenticate(world, token).role is Role.ADMIN


def test_accounts_are_listed_newest_first_in_pages(world):
    made = [register(world, f"u{number}@example.com").id for number in range(5)]

    found, after = [], None
    while True:
        page = accounts.find_all(world, after=after, limit=2)
        found += [account.id for account in page.items]
        after = page.next
        if after is None:
            break

    assert sorted(found, reverse=True) == found
    assert set(found) == set(made)


@pytest.mark.parametrize(
    ("email", "count"), [("A@example.COM", 1), ("b@example.com", 0), ("", 0), ("x" * 5000, 0)]
)
def test_an_account_is_found_by_its_address(world, email, count):
    register(world)

    assert len(accounts.find_by_email(world, email).items) == count


def test_whatever_happens_to_an_account_is_in_its_events(world):
    account = register(world)
    accounts.ban(world, OPERATOR, account.id)
    accounts.unban(world, OPERATOR, account.id)
    accounts.set_role(world, OPERATOR, account.id, Role.ADMIN)

    events = world.store.query(schema.EVENT, account.id, limit=10).items
    assert sorted((event.kind, event.actor) for event in events) == [
        ("account.banned", "usr_operator"),
        ("account.registered", account.id),
        ("account.role_changed", "usr_operator"),
        ("account.unbanned", "usr_operator"),
    ]
