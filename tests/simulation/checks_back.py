"""Money that goes back, at every transaction: of refunds and disputes, once there and once back."""

from tests.simulation.checks_units import Rows
from tests.simulation.trace import Violation
from wharfage.transaction import Item

_GOING = ("membership_return", "units_return")
_COMING = ("membership_again", "units_again")


def check_dispute(before: Item | None, after: Item | None, rows: Rows) -> None:
    """A dispute ends once; what it takes is booked as it begins, and what it returns as it ends."""
    assert after is not None
    name = f"{after['order']}.{after['id']}"
    if before is not None and before["state"] != "open":
        raise Violation("M1", name, f"an ended dispute changes: {before} to {after}")
    begins = before is None and after["booked"]
    won = before is not None and after["state"] == "won"
    check_moves(after, name, "dispute", rows, went=begins, came=won)
    if begins or won:
        ((was, order),) = rows["order"]
        assert was is not None
        assert order is not None
        kept = after["reserved_fen"] if begins else -after["reserved_fen"]
        moved = [order[each] - was[each] for each in ("disputed_fen", "refundable_fen")]
        if moved != [kept, -kept] or order["refundable_fen"] < 0:
            raise Violation("M1", name, f"{after} of {was} to {order}")


def check_asked(refund: Item, rows: Rows) -> None:
    """Who asks for money back is not frozen; what is asked of a month ends it if that is all."""
    if refund["origin"] != "customer":
        return
    for _, balance in rows["balance"]:
        if balance is not None and "frozen_at" in balance:
            raise Violation("Q2", refund["id"], f"asked back of frozen money: {balance}")
    for _, month in rows["period"]:
        if month is not None and month["granted"] == 0 and not rows["membership"]:
            raise Violation("Q2", refund["id"], f"{month} has gone, and its membership stays")


def refund_reference(row: Item) -> str:
    """Name a refund's moves on the ledger."""
    return f"{row['order']}.{row['id']}"


def check_moves(
    row: Item, reference: str, code: str, rows: Rows, *, went: bool, came: bool
) -> None:
    """What goes is booked once when it goes, and once when it comes back, with its units."""
    mine = [new for _, new in rows["entry"] if new and new["reference"] == reference]
    moves = {each["code"]: (each["amount_fen"], each["units"]) for each in mine}
    fen, share, units = row["amount_fen"], row["units_fen"], row["units"]
    expected: dict[str, tuple[int, int]] = {}
    if went:
        expected |= {code: (-fen, 0)} | _shared(_GOING, share, -units)
    if came:
        expected |= {f"{code}_reversal": (fen, 0)} | _shared(_COMING, -share, units)
    if moves != expected:
        raise Violation("M1", reference, f"booked as {moves}, not {expected}: {row}")


def _shared(codes: tuple[str, str], fen: int, units: int) -> dict[str, tuple[int, int]]:
    return {codes[0]: (fen, 0), codes[1]: (0, units)} if units else {}
