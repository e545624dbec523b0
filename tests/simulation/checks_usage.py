"""Counters and quotas, at every transaction: they move with the jobs, and stay within limits."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from msgspec.structs import replace

from tests.simulation.checks_units import Rows
from tests.simulation.trace import Violation
from wharfage import items
from wharfage.domain.job import Job
from wharfage.domain.quotas import Quotas
from wharfage.domain.usage import COUNTERS, hour_of, taken
from wharfage.transaction import Item


@dataclass(kw_only=True)
class UsageChecks:
    """Looks at the rows of each applied transaction, by their kind."""

    quotas: dict[str, Quotas] = field(default_factory=dict)

    def check(self, rows: Rows) -> None:
        added: defaultdict[tuple[str, str], int] = defaultdict(int)
        for before, after in rows["job"]:
            for name, amount in _taken(after).items():
                added[_account(after), name] += amount
            for name, amount in _taken(before).items():
                added[_account(before), name] -= amount
        for before, after in rows["usage"]:
            account = _account(after)
            for name in COUNTERS:
                change = _number(after, name) - _number(before, name)
                added[account, name] -= change
                if name != "burn_fen" and change > 0 and rows["hold"]:
                    self._within(account, name, _number(after, name))
        for (account, name), drift in added.items():
            if drift:
                raise Violation("Q1", account, f"{name} moved {-drift} apart from its jobs")
        self._spend(rows)

    def _spend(self, rows: Rows) -> None:
        """What new holds commit is counted in its hour and its day."""
        held: defaultdict[str, int] = defaultdict(int)
        hours: dict[str, str] = {}
        for before, after in rows["hold"]:
            if before is None and after is not None and after["amount_fen"]:
                held[_account(after)] += after["amount_fen"]
                opened = datetime.fromisoformat(after["created_at"])
                hours[_account(after)] = hour_of(opened)
        for before, after in rows["spend"]:
            account = _account(after)
            hour = hours.get(account, "day_fen")
            for name, limit in (("day_fen", "spend_day_fen"), (hour, "spend_hour_fen")):
                if _number(after, name) - _number(before, name) != held[account]:
                    raise Violation("Q1", account, f"{name} is not what was held: {after}")
                self._within(account, limit, _number(after, name))
            del held[account]
        if held:
            raise Violation("Q1", next(iter(held)), f"committed and not counted: {dict(held)}")

    def _within(self, account: str, name: str, used: int) -> None:
        limit = self.quotas.get(account, Quotas()).limit(name)
        if used > limit:
            raise Violation("Q1", account, f"{name} is {used} of {limit}")


def drawn(chance: Random) -> Quotas:
    """Draw what an account may take: half of all accounts may take little of something."""
    quotas = Quotas()
    if chance.random() < 0.5:
        return quotas
    small = {
        "live_jobs": (0, 1, 2),
        "queued_jobs": (1, 2),
        "vcpu_millis": (100, 500, 1500),
        "memory_mb": (16, 512, 1000),
        "spend_hour_fen": (5, 30, 100),
        "spend_day_fen": (5, 30, 100),
    }
    name = chance.choice(sorted(small))
    return replace(quotas, **{name: chance.choice(small[name])})


def _taken(item: Item | None) -> dict[str, int]:
    if item is None:
        return {}
    job = items.decode(item)
    assert isinstance(job, Job)
    return taken(job)


def _account(item: Item | None) -> str:
    assert item is not None
    return str(item["account"])


def _number(item: Item | None, name: str) -> int:
    return int(item.get(name, 0)) if item else 0
