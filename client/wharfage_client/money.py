"""Money for people: whole fen inside, yuan with two decimals outside, never a float."""

import re

_YUAN = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.([0-9]{1,2}))?", re.ASCII)


def yuan(amount_fen: int) -> str:
    """Write fen as `CNY 12.34`; what is owed or used is negative."""
    sign = "-" if amount_fen < 0 else ""
    whole, part = divmod(abs(amount_fen), 100)
    return f"CNY {sign}{whole}.{part:02d}"


def fen(text: str) -> int:
    """Read yuan as they are typed, `50` or `12.34`, as fen.

    Raises: ValueError for anything but a plain positive decimal of at most two places.
    """
    match = _YUAN.fullmatch(text)
    if match is None:
        raise ValueError(text)
    whole, part = match.groups(default="")
    amount = int(whole) * 100 + int(part.ljust(2, "0"))
    if amount == 0:
        raise ValueError(text)
    return amount


def price(amount_fen: int, units: int) -> str:
    """Write what something costs: units, or fen as yuan; never both."""
    return f"{units} units" if units else yuan(amount_fen)
