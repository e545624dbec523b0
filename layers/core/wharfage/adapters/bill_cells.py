"""Cells of channels' bills, read strictly, and the day in China that a bill is of.

All raise BillRefused for what is not as it should be.
"""

import re
from datetime import date, datetime, timedelta

from wharfage.domain.bill import Bill, BillFault, FeeTerms
from wharfage.domain.errors import BillRefused
from wharfage.domain.reconciliation import SHANGHAI, begins_on

#: What an order, a trade or a request is named by; empty where there is none.
NUMBER = re.compile(r"[!-~]{0,64}", re.ASCII)

_YUAN = re.compile(r"(-?)(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,2}))?", re.ASCII)


def blank(
    channel: str, day: date, *, published: bool = True, fee_terms: FeeTerms | None = None
) -> Bill:
    """Make the bill of a day that has no rows."""
    return Bill(
        channel=channel,
        day=day,
        begins_at=begins_on(day),
        ends_at=begins_on(day + timedelta(days=1)),
        fee_terms=fee_terms,
        published=published,
    )


def number(text: str) -> str:
    """Read a number."""
    if not NUMBER.fullmatch(text):
        raise BillRefused(reason=BillFault.FORM)
    return text


def fen(text: str) -> int:
    """Read yuan with at most two decimals, which may be negative."""
    match = _YUAN.fullmatch(text)
    if match is None:
        raise BillRefused(reason=BillFault.FORM)
    sign, whole, part = match.groups(default="")
    amount_fen = int(whole) * 100 + int(part.ljust(2, "0"))
    return -amount_fen if sign else amount_fen


def moment(text: str) -> datetime:
    """Read a time of China, to the second."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        raise BillRefused(reason=BillFault.FORM) from None
