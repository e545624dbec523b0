"""Money, at every transaction: M1 to M6, M8 and M9, by what each one moves."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.checks_back import (
    check_asked,
    check_dispute,
    check_moves,
    refund_reference,
)
from tests.simulation.checks_units import UnitChecks
from tests.simulation.checks_usage import UsageChecks
from tests.simulation.store import Written
from tests.simulation.trace import Violation
from wharfage.transaction import Item

MEASURING_SECONDS = 3  #: A run may be measured so much longer than it was: rounding, late looks.


@dataclass(frozen=True, slots=True)
class Ran:
    """What really became of an attempt's container: where, from when, until when, and how."""

    machine: str
    started: float
    ended: float | None = None
    exit_code: int | None = None


@dataclass(kw_only=True, slots=True)
class _Moved:
    """What one transaction does to an account."""

    mine: int = 0  #: available + held - debt.
    held: int = 0
    entries: int = 0
    open_holds: int = 0


@dataclass(kw_only=True)
class MoneyChecks:
    """Looks at each applied transaction: key, before, after."""

    ran: Callable[[str, int], Ran | None]
    paid: Callable[[str, str, int], bool]  #: Whether this trade of this order paid this amount.
    gone: Callable[[str, str, str], int | None]  #: What a refund of a trade really moved.
    now: Callable[[], float]
    units: UnitChecks
    usage: UsageChecks = field(default_factory=UsageChecks)
    credits: dict[str, str] = field(default_factory=dict)  #: The trade that credited an order.

    def check(self, written: Written) -> None:
        moved: defaultdict[str, _Moved] = defaultdict(_Moved)
        rows: dict[str, list[tuple[Item | None, Item | None]]] = defaultdict(list)
        for key, before, after in written:
            if key.table == "money" or (after is not None and after["record"] in _WORK):
                item = after or before
                assert item is not None
                rows[item["record"]].append((before, after))
        if not rows:
            return
        for before, after in rows["balance"]:
            self._balance(moved, before, after)
        for before, after in rows["hold"]:
            self._hold(moved, before, after)
        for before, after in rows["entry"]:
            self._entry(moved, before, after, rows)
        for before, after in rows["payment"]:
            self._payment(before, after, rows)
        for before, after in rows["refund"]:
            self._refund(before, after, rows)
        for before, after in rows["dispute"]:
            check_dispute(before, after, rows)
        for before, after in rows["order"]:
            self._order(before, after, rows)
        for account, what in moved.items():
            if what.mine != what.entries:
                raise Violation(
                    "M1 M8", account, f"{account} moved {what.mine} with entries of {what.entries}"
                )
            if what.held != what.open_holds:
                raise Violation(
                    "M4", account, f"held moved {what.held}, open holds {what.open_holds}"
                )
        self._jobs_and_holds(rows)
        self.units.check(rows)
        self.usage.check(rows)

    def _balance(
        self, moved: Mapping[str, _Moved], before: Item | None, after: Item | None
    ) -> None:
        assert after is not None
        account = after["account"]
        for name in ("available", "held", "debt"):
            if after[name] < 0:
                raise Violation("M2", account, f"{name} is {after[name]}")
        old: Mapping[str, Any] = before or {}
        _check_life(account, old, after)
        change = {name: after[name] - old.get(name, 0) for name in ("available", "held", "debt")}
        moved[account].mine += change["available"] + change["held"] - change["debt"]
        moved[account].held += change["held"]

    def _hold(self, moved: Mapping[str, _Moved], before: Item | None, after: Item | None) -> None:
        if after is None:
            raise Violation("M3", str(before), "a hold was removed")
        opened = after["amount_fen"] if after["state"] == "open" else 0
        was = before["amount_fen"] if before is not None and before["state"] == "open" else 0
        if before is not None and before["state"] != "open":
            raise Violation("M3", after["job"], f"a settled hold changes: {before} to {after}")
        if not 0 <= after["captured_fen"] <= after["amount_fen"]:
            raise Violation("M3", after["job"], f"captured {after['captured_fen']}: {after}")
        moved[after["account"]].open_holds += opened - was

    def _entry(
        self,
        moved: Mapping[str, _Moved],
        before: Item | None,
        after: Item | None,
        rows: Mapping[str, list[tuple[Item | None, Item | None]]],
    ) -> None:
        if before is not None or after is None:
            raise Violation("M8", str(before), f"an entry changes: {before} to {after}")
        moved[after["account"]].entries += after["amount_fen"]
        code, reference, amount = after["code"], after["reference"], after["amount_fen"]
        if code in {"dispute", "dispute_reversal"} and not rows["dispute"]:
            raise Violation("M1", reference, f"a move without its dispute: {after}")
        if code == "topup":
            orders = [new for _, new in rows["order"] if new and new["id"] == reference]
            if not orders or orders[0]["amount_fen"] != amount:
                raise Violation("M1", reference, f"a top-up without its order: {after}")
        elif code in {"refund", "refund_reversal"}:
            self._refund_entry(after, rows)
        elif code == "use":
            self._use(reference, -amount, rows)

    def _refund_entry(
        self, entry: Item, rows: Mapping[str, list[tuple[Item | None, Item | None]]]
    ) -> None:
        """A move of a refund comes with the refund, and is of its amount."""
        reference = entry["reference"]
        refunds = [new for _, new in rows["refund"] if new and refund_reference(new) == reference]
        sign = -1 if entry["code"] == "refund" else 1
        if len(refunds) != 1 or entry["amount_fen"] != sign * refunds[0]["amount_fen"]:
            raise Violation("M1", reference, f"a move without its refund: {entry}")

    def _refund(
        self,
        before: Item | None,
        after: Item | None,
        rows: Mapping[str, list[tuple[Item | None, Item | None]]],
    ) -> None:
        """A refund ends once, as the channel has it, and is booked as it ends."""
        assert after is not None
        name, state = after["id"], after["state"]
        if before is not None and before["state"] in _REFUND_ENDS:
            raise Violation("M1", name, f"an ended refund changes: {before} to {after}")
        moved = self.gone(after["order"], after["trade_no"], name)
        if state == "succeeded" and moved != after["amount_fen"]:
            raise Violation("M1", name, f"{moved} went back, not {after['amount_fen']}")
        if state in {"failed", "rejected"} and moved is not None:
            raise Violation("M1", name, f"{moved} went back by what is {state}")
        booked = after["booked"] and not (before is not None and before["booked"])
        returned = after["booked"] and state in {"failed", "rejected"}
        check_moves(after, refund_reference(after), "refund", rows, went=booked, came=returned)
        if before is None:
            check_asked(after, rows)
        credited = self.credits.get(after["order"]) == after["trade_no"]
        if state == "succeeded" and credited and not after["booked"]:
            raise Violation("M1", name, f"went back of what was credited, and not booked: {after}")

    def _use(
        self,
        reference: str,
        cost: int,
        rows: Mapping[str, list[tuple[Item | None, Item | None]]],
    ) -> None:
        job, _, attempt = reference.partition(".")
        records = [new for _, new in rows["attempt"] if new and new["job"] == job]
        if len(records) != 1 or str(records[0]["attempt"]) != attempt:
            raise Violation("M9", job, f"a use without its attempt: {reference}")
        record = records[0]
        if record["cost_fen"] != cost:
            raise Violation("M9", job, f"{reference} costs {cost}, its record {record['cost_fen']}")
        if cost == 0:
            return
        ran = self.ran(job, int(attempt))
        if ran is None:
            raise Violation("M9", job, f"{reference} is charged {cost} and never ran")
        seconds = (self.now() if ran.ended is None else ran.ended) - ran.started
        if record["run_seconds"] > seconds + MEASURING_SECONDS:
            raise Violation(
                "M9", job, f"{reference} ran {seconds:.1f} s, charged {record['run_seconds']}"
            )

    def _payment(
        self,
        before: Item | None,
        after: Item | None,
        rows: Mapping[str, list[tuple[Item | None, Item | None]]],
    ) -> None:
        if before is not None or after is None:
            raise Violation("M5", str(before), "a payment changes")
        order, trade_no, amount = after["order"], after["trade_no"], after["amount_fen"]
        if not self.paid(order, trade_no, amount):
            raise Violation("M6", order, f"trade {trade_no} never paid {amount} for {order}")
        entries = [
            new
            for _, new in rows["entry"]
            if new and new["reference"] == order and new["code"] == "topup"
        ]
        if after["duplicate"]:
            if entries:
                raise Violation("M5", order, f"a duplicate of {order} was credited")
            return
        if order in self.credits:
            raise Violation("M5", order, f"credited by {self.credits[order]}, now by {trade_no}")
        if len(entries) != 1:
            raise Violation("M7", order, f"a payment of {order} without its entry")
        self.credits[order] = trade_no

    def _order(
        self,
        before: Item | None,
        after: Item | None,
        rows: Mapping[str, list[tuple[Item | None, Item | None]]],
    ) -> None:
        assert after is not None
        was = before["state"] if before is not None else None
        if after["state"] == "paid" and was != "paid" and not rows["payment"]:
            raise Violation("M6", after["id"], f"{after['id']} is paid without a payment")
        if was == "paid" and after["state"] != "paid":
            raise Violation("M7", after["id"], f"a paid order becomes {after['state']}")

    def _jobs_and_holds(self, rows: Mapping[str, list[tuple[Item | None, Item | None]]]) -> None:
        """A job is there if and only if money is held, and over if and only if it is settled."""
        settled = {new["job"] for _, new in rows["hold"] if new and new["state"] != "open"}
        held = {new["job"] for old, new in rows["hold"] if new and old is None}
        begun, ended = set(), set()
        for old, new in rows["job"]:
            assert new is not None
            if old is None:
                begun.add(new["id"])
            if "ended_at" in new and (old is None or "ended_at" not in old):
                ended.add(new["id"])
        if settled != ended or held != begun:
            raise Violation(
                "M3",
                next(iter((settled ^ ended) | (held ^ begun))),
                f"jobs begun {begun} ended {ended}, holds opened {held} settled {settled}",
            )


_REFUND_ENDS = frozenset({"succeeded", "failed", "rejected"})


def _check_life(account: str, before: Item, after: Item) -> None:
    """What comes in pays the debt first; what clears it ends the suspension; who owes waits."""
    if after["debt"] == 0 and "suspended_at" in after:
        raise Violation("Q2", account, f"suspended, and nothing is owed: {after}")
    if ("frozen_at" in after) is not (after["disputes"] > 0 or "frozen_by" in after):
        raise Violation("Q2", account, f"frozen by nothing, or not by what should: {after}")
    if "frozen_at" in before and after["held"] > before["held"]:
        raise Violation("Q2", account, f"new work of a frozen account: {before} to {after}")
    if "suspended_at" in before and after["held"] > before["held"]:
        raise Violation("Q2", account, f"new work of a suspended account: {before} to {after}")
    owned = [row.get("available", 0) + row.get("held", 0) for row in (before, after)]
    if after["debt"] > 0 and owned[1] > owned[0]:
        raise Violation("Q2", account, f"a debt is left and money is added: {before} to {after}")


_WORK = frozenset({"job", "attempt", "spend"})
