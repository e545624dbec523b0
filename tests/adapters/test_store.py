"""The rule for unknown: what a store makes of conflicts, throttles and lost answers."""

import itertools
import random
from collections.abc import Iterator

import pytest

from tests.fixtures.stores import NOW, fresh, open_account, spend
from wharfage import schema
from wharfage.adapters.embedded import DictRows
from wharfage.adapters.faults import FaultSource, FaultyRows, StoreFault, seeded
from wharfage.adapters.store import Patience, RecordStore
from wharfage.domain.balance import Balance
from wharfage.domain.errors import InsufficientFunds, StateConflict, Unanswered, Unavailable
from wharfage.transaction import Put, Update, absent, at_least, present

CONFLICT, THROTTLE = StoreFault.CONFLICT, StoreFault.THROTTLE
LOST_BEFORE, LOST_AFTER = StoreFault.LOST_BEFORE, StoreFault.LOST_AFTER


class World:
    """A store to which faults happen as they are listed, and what it did about them."""

    def __init__(self, *faults: StoreFault | None, chance: float = 1.0) -> None:
        self.rows = DictRows()
        self.calm = RecordStore(self.rows, pause=lambda seconds: None, chance=lambda: 0.0)
        self.calls: list[str] = []
        self.pauses: list[float] = []
        self._faults: Iterator[StoreFault | None] = itertools.chain(faults, itertools.repeat(None))
        self.store = RecordStore(
            FaultyRows(self.rows, self._next), pause=self.pauses.append, chance=lambda: chance
        )

    def _next(self, call: str) -> StoreFault | None:
        self.calls.append(call)
        return next(self._faults)

    def available(self, account: str) -> int:
        balance = self.calm.get(schema.BALANCE.key(account=account))
        assert balance is not None
        return balance.available


@pytest.mark.parametrize("fault", StoreFault)
@pytest.mark.parametrize("times", [1, 2])
def test_whatever_happens_to_a_commit_twice_it_is_done_once(fault, times):
    world = World(*[fault] * times)
    account = open_account(world.calm, available=5)

    world.store.commit(*spend(account, 5))

    assert world.available(account) == 0
    assert world.calls.count("write") == times + 1


@pytest.mark.parametrize("faults", list(itertools.product(StoreFault, repeat=2)))
def test_any_two_faults_in_a_row_neither_lose_nor_double_a_commit(faults):
    world = World(*faults)
    account = open_account(world.calm, available=9)

    world.store.commit(*spend(account, 5))

    assert world.available(account) == 4


@pytest.mark.parametrize("fault", StoreFault)
def test_a_refusal_is_a_refusal_whatever_happened_before_it(fault):
    world = World(fault)
    account = open_account(world.calm, available=4)

    with pytest.raises(InsufficientFunds):
        world.store.commit(*spend(account, 5))

    assert world.available(account) == 4


def test_a_conflict_that_does_not_end_is_unavailable_and_never_a_refusal():
    world = World(*[CONFLICT] * 8)
    account = open_account(world.calm, available=5)

    with pytest.raises(Unavailable) as caught:
        world.store.commit(*spend(account, 5))

    assert type(caught.value) is Unavailable
    assert world.calls == ["write"] * 8
    assert world.available(account) == 5


def test_a_conflict_that_ends_at_the_last_attempt_is_done():
    world = World(*[THROTTLE] * 7)
    account = open_account(world.calm, available=5)

    world.store.commit(*spend(account, 5))

    assert world.available(account) == 0


@pytest.mark.parametrize(("fault", "left"), [(LOST_BEFORE, 5), (LOST_AFTER, 0)])
def test_an_outcome_that_stays_unknown_is_said_to_be_unknown(fault, left):
    world = World(*[fault] * 3)
    account = open_account(world.calm, available=5)

    with pytest.raises(Unanswered):
        world.store.commit(*spend(account, 5))

    assert world.calls == ["write"] * 3
    assert world.available(account) == left


def test_conflicts_after_a_lost_answer_leave_it_unknown():
    world = World(LOST_AFTER, *[CONFLICT] * 7)
    account = open_account(world.calm, available=5)

    with pytest.raises(Unanswered):
        world.store.commit(*spend(account, 5))


def test_a_repeat_that_nothing_proves_stays_unknown_when_its_condition_fails():
    world = World(LOST_AFTER)
    account = open_account(world.calm, available=5)
    update, _ = spend(account, 5)

    with pytest.raises(Unanswered):
        world.store.commit(update)

    assert world.available(account) == 0


def test_a_proof_that_cannot_be_read_leaves_the_outcome_unknown():
    world = World(LOST_AFTER, None, *[THROTTLE] * 8)
    account = open_account(world.calm, available=5)
    update, event = spend(account, 5)
    first = Put(Balance(account=fresh()), when=[present()], otherwise=StateConflict(state="first"))

    with pytest.raises(Unanswered):
        world.store.commit(first, update, event)


def test_another_spender_between_a_lost_request_and_its_repeat_makes_a_refusal():
    world = World()
    account = open_account(world.calm, available=5)
    calls: list[str] = []

    def source(call: str) -> StoreFault | None:
        calls.append(call)
        if len(calls) > 1:
            return None
        world.calm.commit(*spend(account, 5))
        return LOST_BEFORE

    store = RecordStore(
        FaultyRows(world.rows, source), pause=lambda seconds: None, chance=lambda: 0.0
    )

    with pytest.raises(InsufficientFunds):
        store.commit(*spend(account, 5))

    assert calls == ["write", "write", "read"]  # The read looked for the proof, and found none.


@pytest.mark.parametrize("fault", StoreFault)
def test_a_read_is_repeated_until_it_is_answered(fault):
    account = fresh()
    key = schema.BALANCE.key(account=account)
    for read in (
        lambda store: store.get(key),
        lambda store: store.query(schema.HOLD, account, limit=1),
        lambda store: store.timeline(schema.ENTRY, account, limit=1),
        lambda store: store.nominate(schema.ORDER, schema.DUE, "order#0", until=NOW, limit=1),
    ):
        world = World(*[fault] * 7)

        assert read(world.store) == read(world.calm)
        assert len(world.calls) == 8


@pytest.mark.parametrize("fault", StoreFault)
def test_a_read_that_is_never_answered_is_unavailable(fault):
    world = World(*[fault] * 8)

    with pytest.raises(Unavailable) as caught:
        world.store.get(schema.BALANCE.key(account=fresh()))

    assert type(caught.value) is Unavailable
    assert len(world.calls) == 8


def test_waits_are_drawn_from_zero_to_a_bound_that_doubles():
    longest, shortest = World(*[CONFLICT] * 8), World(*[CONFLICT] * 8, chance=0.0)

    for world in (longest, shortest):
        with pytest.raises(Unavailable):
            world.store.commit(Put(Balance(account=fresh()), when=[absent()]))

    assert longest.pauses == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.4, 0.4])
    assert shortest.pauses == [0.0] * 7


def test_patience_is_a_setting():
    rows = FaultyRows(DictRows(), lambda call: CONFLICT)
    pauses: list[float] = []
    patience = Patience(attempts_max=2, wait_seconds_first=3, wait_seconds_max=2)
    store = RecordStore(rows, pause=pauses.append, chance=lambda: 0.5, patience=patience)

    with pytest.raises(Unavailable):
        store.get(schema.BALANCE.key(account=fresh()))

    assert pauses == [1.0]


@pytest.mark.parametrize("seed", range(20))
def test_under_heavy_faults_what_is_said_is_what_was_done(seed):
    source: FaultSource = seeded(random.Random(seed), dict.fromkeys(StoreFault, 0.15))
    rows = DictRows()
    calm = RecordStore(rows, pause=lambda seconds: None, chance=lambda: 0.0)
    store = RecordStore(FaultyRows(rows, source), pause=lambda seconds: None, chance=lambda: 0.0)
    account = open_account(calm, available=40)
    done = unknown = 0

    for _ in range(60):
        update, event = spend(account, 1)
        happened: bool | None = True
        try:
            store.commit(update, event)
        except Unanswered:
            happened = None
        except (InsufficientFunds, Unavailable):
            happened = False
        assert event.record is not None
        key = schema.EVENT.key(subject=account, id=event.record.id)
        there = calm.get(key) is not None
        assert happened in (None, there)
        done += there
        unknown += happened is None

    balance = calm.get(schema.BALANCE.key(account=account))
    assert balance is not None
    assert balance.available == 40 - done
    assert 0 < done <= 40


def test_an_update_in_a_transaction_may_follow_what_it_depends_on():
    world = World()
    account = open_account(world.calm, available=5)
    key = schema.BALANCE.key(account=account)

    world.store.commit(Update(key, add={"available": -5}, when=[at_least("available", 5)]))

    assert world.available(account) == 0
