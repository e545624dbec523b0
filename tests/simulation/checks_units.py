"""Units, at every transaction: each month's row by what its entries and holds move (M2, M4, M8)."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tests.simulation.trace import Violation
from wharfage.transaction import Item

LATE_SECONDS = 60.0  #: Whoever writes read the clock at most so long before.

Rows = Mapping[str, list[tuple[Item | None, Item | None]]]


@dataclass(kw_only=True, slots=True)
class _Moved:
    """What one transaction does to a month."""

    left: int = 0  #: remaining + held, and nothing that was written off.
    held: int = 0
    used: int = 0
    entries: int = 0
    uses: int = 0
    open_holds: int = 0
    taken: bool = False  #: A new hold takes of it.


@dataclass(kw_only=True)
class UnitChecks:
    """Looks at the rows of each applied transaction, by their kind."""

    now: Callable[[], datetime]

    def check(self, rows: Rows) -> None:
        moved: defaultdict[tuple[str, str], _Moved] = defaultdict(_Moved)
        for before, after in rows["period"]:
            self._period(moved, before, after)
        for before, after in rows["hold"]:
            _hold(moved, before, after)
        for _, after in rows["entry"]:
            assert after is not None
            if after["units"]:
                what = moved[after["account"], after["period"]]
                what.entries += after["units"]
                what.uses -= after["units"] if after["code"] == "use" else 0
        for (account, starts_at), what in moved.items():
            if (what.left, what.used) != (what.entries, what.uses):
                raise Violation("M8", account, f"the month of {starts_at} moved as {what}")
            if what.held != what.open_holds:
                raise Violation("M4", account, f"the month of {starts_at} moved as {what}")
        self._months(rows)
        _templates(rows)

    def _period(
        self,
        moved: Mapping[tuple[str, str], _Moved],
        before: Item | None,
        after: Item | None,
    ) -> None:
        if after is None:
            raise Violation("M8", str(before), "a month was removed")
        account = after["account"]
        numbers = [after[name] for name in ("remaining", "held", "used")]
        if min(numbers) < 0:
            raise Violation("M2", account, f"units are negative: {after}")
        if after["granted"] != sum(numbers):
            raise Violation("M8", account, f"granted is not what became of it: {after}")
        if before is not None and "lapsed_at" in before and "lapsed_at" not in after:
            raise Violation("M8", account, f"written off, and back: {after}")
        what = moved[account, after["starts_at"]]
        what.left += _left(after) - _left(before)
        what.held += after["held"] - (before["held"] if before else 0)
        what.used += after["used"] - (before["used"] if before else 0)
        taken = before is not None and after["held"] > before["held"]
        ended = self._since(after["ends_at"])
        if taken and ended > LATE_SECONDS:
            raise Violation("Q1", account, f"taken {ended:.0f} s after the month's end: {after}")

    def _since(self, moment: str) -> float:
        return (self.now() - datetime.fromisoformat(moment)).total_seconds()

    def _months(self, rows: Rows) -> None:
        """A month is added by a paid order, one by one, after the last or from now on.

        So is one that comes back of a refund; one that goes back was the last.
        """
        made = [new for old, new in rows["period"] if new and _granted(old) == 0 < _granted(new)]
        gone = [new for old, new in rows["period"] if new and _granted(old) > 0 == _granted(new)]
        sold, given, again = (
            [after for _, after in rows["entry"] if after and after["code"] == code]
            for code in ("membership", "units", "units_again")
        )
        if gone:
            _ended(gone[0], rows)
        if not made and not sold and not given:
            return
        if not len(made) == len(sold or again) == len(given or again) == 1:
            raise Violation("M5", str(made), f"{len(sold)} sold, {len(given)} given, {made}")
        orders = [new for _, new in rows["order"] if new and new["id"] == made[0]["order"]]
        if not orders or (sold and orders[0]["amount_fen"] != -sold[0]["amount_fen"]):
            raise Violation("M1", made[0]["account"], f"a month without its order: {sold}")
        units = orders[0]["membership"]["units"] if sold else again[0]["units"]
        if orders[0]["month"] != made[0]["starts_at"]:
            raise Violation("Q2", made[0]["account"], f"{orders[0]} did not buy {made[0]}")
        ((before, after),) = rows["membership"]
        assert after is not None
        starts_at, ends_at = made[0]["starts_at"], made[0]["ends_at"]
        if (after["ends_at"], made[0]["granted"]) != (ends_at, units):
            raise Violation("Q2", made[0]["account"], f"{made[0]} of {after}")
        lasting = before is not None and starts_at == before["ends_at"]
        anew = starts_at == after["anchor"] and (before is None or before["ends_at"] <= starts_at)
        months = before["months"] + 1 if before is not None and lasting and not anew else 1
        if lasting and not anew and self._since(starts_at) > LATE_SECONDS:
            raise Violation("Q2", made[0]["account"], f"{made[0]} begins in the past")
        if not (lasting or anew) or (not anew and after["months"] != months):
            raise Violation("Q2", made[0]["account"], f"{made[0]} after {before}")


def _hold(moved: Mapping[tuple[str, str], _Moved], before: Item | None, after: Item | None) -> None:
    assert after is not None
    if after["units"] and after["amount_fen"]:
        raise Violation("Q3", after["job"], f"paid from both sources: {after}")
    if after["captured_units"] not in (0, after["units"]):
        raise Violation("M3", after["job"], f"captured in part: {after}")
    if after["units"]:
        opened = after["units"] if after["state"] == "open" else 0
        was = before["units"] if before is not None and before["state"] == "open" else 0
        moved[after["account"], after["period"]].open_holds += opened - was


def _templates(rows: Rows) -> None:
    """A template's job is paid whole if it succeeded, and else not at all."""
    holds = {after["job"]: after for _, after in rows["hold"] if after}
    for _, job in rows["job"]:
        if job is None or "template" not in job or "ended_at" not in job or job["id"] not in holds:
            continue
        hold = holds[job["id"]]
        paid = (hold["captured_fen"], hold["captured_units"])
        price = (hold["amount_fen"], hold["units"])
        if paid != (price if job["state"] == "succeeded" else (0, 0)):
            raise Violation("Q4", job["id"], f"{job['state']} and paid {paid} of {price}")


def _granted(item: Item | None) -> int:
    return 0 if item is None else int(item["granted"])


def _ended(month: Item, rows: Rows) -> None:
    """A month that goes back whole was the last, or stays in the middle, with nothing in it."""
    for before, after in rows["membership"]:
        assert before is not None
        assert after is not None
        if before["ends_at"] != month["ends_at"] or after["ends_at"] != month["starts_at"]:
            raise Violation("Q2", month["account"], f"{month} went back: {before} to {after}")
        if after["months"] != before["months"] - 1:
            raise Violation("Q2", month["account"], f"{before} to {after}")


def _left(item: Item | None) -> int:
    if item is None:
        return 0
    return int(item["held"] + (0 if "lapsed_at" in item else item["remaining"]))
