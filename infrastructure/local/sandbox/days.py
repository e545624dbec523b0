"""What happened on a day, which every channel's bill is made of, with faults to try readers on."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone

from infrastructure.local.sandbox.signing import Keys
from infrastructure.local.sandbox.trades import BillFaults, Trade, Trades

LIVES_SECONDS = 30  #: How long the address of a bill is good for.

_SHANGHAI = timezone(timedelta(hours=8))


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One payment, or with a request number one refund; a refund's amount is negative."""

    trade_no: str
    order_no: str
    subject: str
    created_at: float
    completed_at: float
    amount_fen: int
    refund_no: str = ""


def day_of(text: str) -> date | None:
    """Read a day, as `yyyy-MM-dd` and in no other form."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None


def over(day: date, now: float) -> bool:
    """Tell whether a day has ended in China."""
    return _begin(day + timedelta(days=1)) <= now


def lines(trades: Trades, day: date) -> list[Line]:
    """List what was completed on a day in China."""
    return between(trades, _begin(day), _begin(day + timedelta(days=1)))


def between(trades: Trades, begins_at: float, ends_at: float) -> list[Line]:
    """List what was completed in a span of time, once the channel has put that together."""
    if trades.faults.bill_late:
        return []
    paid = [_line(trade, _fen(trade.amount)) for trade in trades.paid_between(begins_at, ends_at)]
    back = [
        _line(trade, -fen, refund_no=number)
        for trade, number, fen in trades.refunded_between(begins_at, ends_at)
    ]
    return [*paid, *back]


def told(found: Sequence[Line], faults: BillFaults) -> list[Line]:
    """List what a bill says of it, after the faults have had their way."""
    kept = list(found[faults.bill_missing :])
    kept = [
        replace(line, amount_fen=line.amount_fen + 100) if at < faults.bill_altered else line
        for at, line in enumerate(kept)
    ]
    kept += kept[: faults.bill_doubled]
    strangers = [
        replace(found[0], order_no=f"elsewhere_{number}", trade_no=f"{number:028d}")
        for number in range(faults.bill_extra)
    ]
    return kept + strangers


def ticket(keys: Keys, day: date, now: float) -> str:
    """Make the secret part of the address of a day's bill."""
    said = f"{day.isoformat()}.{int(now) + LIVES_SECONDS}"
    signature = base64.urlsafe_b64encode(base64.b64decode(keys.sign(said)))
    return f"{said}.{signature.decode().rstrip('=')}"


def ticketed(keys: Keys, text: str, now: float) -> date | None:
    """Read a ticket that we made and that is still good."""
    said, _, _ = text.rpartition(".")
    named, _, until = said.rpartition(".")
    day = day_of(named)
    if day is None or not until.isdigit() or int(until) <= now:
        return None
    # RSA's signatures of one text are all the same.
    return day if ticket(keys, day, int(until) - LIVES_SECONDS) == text else None


def moment(at: float) -> str:
    """Write a time of China."""
    return datetime.fromtimestamp(at, _SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def yuan(fen: int) -> str:
    """Write fen as yuan."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _line(trade: Trade, amount_fen: int, *, refund_no: str = "") -> Line:
    return Line(
        trade_no=trade.trade_no or "",
        order_no=trade.order_no,
        subject=trade.subject,
        created_at=trade.created_at,
        completed_at=trade.paid_at or 0.0,
        amount_fen=amount_fen,
        refund_no=refund_no,
    )


def _begin(day: date) -> float:
    return datetime.combine(day, time(), _SHANGHAI).timestamp()


def _fen(amount: str) -> int:
    whole, _, part = amount.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))
