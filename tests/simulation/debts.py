"""Debts in the simulated world: some accounts begin with one, for which they are suspended soon."""

from datetime import timedelta
from random import Random

from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.balance import Entry, EntryCode
from wharfage.domain.usage import Standing
from wharfage.operations import usage
from wharfage.ports import Ports
from wharfage.transaction import Put, Update, present


def owe_before(ports: Ports, account: str, chance: Random, seconds: float) -> None:
    """Perhaps book a debt whose grace ends within so many *seconds*, as a chargeback leaves one."""
    if chance.random() < 0.75:
        return
    debt = chance.choice((1, 100, 300, 1500))
    now = ports.clock.now()
    entry = Entry(
        account=account,
        code=EntryCode.ADJUSTMENT,
        reference="chargeback",
        amount_fen=-debt,
        debit=account,
        credit="adjustments",
        posted_at=now,
    )
    left = timedelta(seconds=seconds * chance.choice((0, chance.random())))
    since = now - timedelta(hours=limits.OVERDUE_GRACE_HOURS) + left
    ports.store.commit(
        Put(entry),
        Update(schema.BALANCE.key(account=account), add={"debt": debt}, when=[present()]),
        usage.watch(account, now),
    )
    seen = {"told": Standing.OVERDUE.value, "overdue_at": schema.timestamp(since)}
    ports.store.commit(Update(schema.USAGE.key(account=account), set=seen, when=[present()]))
