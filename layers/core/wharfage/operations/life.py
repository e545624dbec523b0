"""The life of an account: warned while money lasts, suspended over a debt, frozen by hand."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from wharfage.domain import usage as rules
from wharfage.domain.account import Principal
from wharfage.domain.attempt import StopReason
from wharfage.domain.balance import Balance
from wharfage.domain.errors import NotFound, StateConflict
from wharfage.domain.record import Body, View
from wharfage.domain.usage import Standing, Usage
from wharfage.operations import jobs
from wharfage.operations.receipts import told
from wharfage.ports import Ports
from wharfage.schema import BALANCE, USAGE, timestamp
from wharfage.transaction import Action, Condition, Put, Update, absent, at_least, equals, present

SWEEPER = "sweeper"  #: Who acts when the clock does.


class Freeze(Body, frozen=True, kw_only=True):
    """Why money is frozen, or is not any more."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class StandingView(View, frozen=True, kw_only=True):
    """How an account stands, as the operator sees it. Each of its open *disputes* freezes it."""

    account: str
    state: Standing
    debt_fen: int
    disputes: int
    frozen_at: datetime | None
    suspended_at: datetime | None


def look(ports: Ports, usage: Usage) -> None:
    """Look at the money of an account that is due: warn once, suspend a debt that is too old.

    An account that is suspended has its work stopped; whoever dies before leaves it due.
    Raises: StateConflict when it has moved meanwhile, Unavailable.
    """
    balance = ports.store.get(BALANCE.key(account=usage.account))
    if balance is None:
        raise NotFound(what="account")
    now = ports.clock.now()
    if rules.to_suspend(usage, balance, now):
        _suspend(ports, usage, balance, now)
        return
    if balance.suspended_at is not None:
        jobs.stop_all(ports, usage.account, StopReason.SUSPEND, actor=SWEEPER)
    after, worse = rules.looked_at(usage, balance, now)
    news: list[Action] = []
    if worse:
        event = told(
            ports, usage.account, f"balance.{after.told}", SWEEPER, now,
            available_fen=balance.available, debt_fen=balance.debt, burn_fen=usage.burn_fen,
        )  # fmt: skip
        news.append(Put(event, when=[absent()], proves=True))
    ports.store.commit(_noted(usage, after), *news)


def freeze(ports: Ports, who: Principal, account: str, body: Freeze) -> StandingView:
    """Freeze an account's money: nothing new is started. A repeat agrees. Raises: NotFound."""
    balance = _balance(ports, account)
    if balance.frozen_by is None:
        since = balance.frozen_at or ports.clock.now()  # A dispute may have frozen it before.
        _mark(ports, who, account, Update(
            BALANCE.key(account=account),
            set={"frozen_at": since, "frozen_by": who.account},
            when=[present(), absent("frozen_by"), equals("frozen_at", balance.frozen_at)],
        ), "account.frozen", body)  # fmt: skip
    return _view(_balance(ports, account))


def unfreeze(ports: Ports, who: Principal, account: str, body: Freeze) -> StandingView:
    """Let an account use its money again, once no dispute keeps it. A repeat agrees.

    Raises: NotFound.
    """
    balance = _balance(ports, account)
    free = balance.frozen_at is not None and not balance.disputes
    if free or balance.frozen_by is not None:
        _mark(ports, who, account, Update(
            BALANCE.key(account=account),
            remove=["frozen_by", "frozen_at"] if free else ["frozen_by"],
            when=[present("frozen_at"), equals("disputes", balance.disputes)],
        ), "account.unfrozen", body)  # fmt: skip
    return _view(_balance(ports, account))


def _mark(
    ports: Ports, who: Principal, account: str, mark: Update, kind: str, body: Freeze
) -> None:
    now = ports.clock.now()
    event = told(ports, account, kind, who.account, now, reason=body.reason)
    ports.store.commit(mark, Put(event, when=[absent()], proves=True))


def _suspend(ports: Ports, usage: Usage, balance: Balance, now: datetime) -> None:
    """Refuse new work from now on, then stop what there is; the account stays due until that."""
    event = told(ports, usage.account, "account.suspended", SWEEPER, now, debt_fen=balance.debt)
    ports.store.commit(
        Update(
            BALANCE.key(account=usage.account),
            set={"suspended_at": timestamp(now)},
            when=[at_least("debt", 1), absent("suspended_at")],
        ),
        Put(event, when=[absent()], proves=True),
    )
    look(ports, usage)


def _noted(before: Usage, after: Usage) -> Update:
    """Write what was seen, if nobody has asked for another look meanwhile."""
    assert before.due_at is not None, "only what is due is looked at"
    as_seen: Condition = equals("due_at", timestamp(before.due_at))
    moments = {"due_at": after.due_at, "overdue_at": after.overdue_at}
    return Update(
        USAGE.key(account=before.account),
        set={"told": after.told.value}
        | {name: timestamp(at) for name, at in moments.items() if at is not None},
        remove=[name for name, at in moments.items() if at is None],
        when=[as_seen],
        otherwise=StateConflict(state="moved"),
    )


def _balance(ports: Ports, account: str) -> Balance:
    balance = ports.store.get(BALANCE.key(account=account))
    if balance is None:
        raise NotFound(what="user")
    return balance


def _view(balance: Balance) -> StandingView:
    return StandingView(
        account=balance.account,
        state=rules.standing(balance),
        debt_fen=balance.debt,
        disputes=balance.disputes,
        frozen_at=balance.frozen_at,
        suspended_at=balance.suspended_at,
    )
