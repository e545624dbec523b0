"""Refunds at the stand-in: made once for each request number, told, and asked about."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infrastructure.local.sandbox.notices import Notices
from infrastructure.local.sandbox.trades import CLOSED, FINISHED, SUCCESS, Trade, Trades

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,8})\.[0-9]{2}", re.ASCII)
_NUMBER = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)

Answer = dict[str, str]


class Lost(Exception):
    """Nothing is to be answered to this call."""


@dataclass(eq=False)
class NotRefunded(Exception):
    """A refund that Alipay would not make; the text is its code for why."""

    sub_code: str


@dataclass(kw_only=True)
class Refunds:
    """Answers `trade.refund` and `trade.fastpay.refund.query`; the console makes refunds, too."""

    trades: Trades
    notices: Notices
    now: Callable[[], float]

    def make(self, content: Mapping[str, Any]) -> Answer:
        """Refund once, whatever becomes of the answer. Raises: NotRefunded, Lost."""
        trade, number = self._trade(content), str(content.get("out_request_no"))
        if self.trades.spend("refund_unheard", trade.order_no):
            raise Lost
        new = self.give(trade, number, str(content.get("refund_amount")))
        if self.trades.spend("refund_lost", trade.order_no):
            raise Lost
        gone = sum(self.trades.refunded(trade.trade_no or "").values())
        answer = _success(trade) | {
            "buyer_logon_id": "san***@sandbox.example",
            "fund_change": "Y" if new else "N",
            "refund_fee": _yuan(gone),
        }
        # The merchant's library counts braces without looking at quotes.
        braced = self.trades.spend("refund_braced", trade.order_no)
        return answer | ({"store_name": "{"} if braced else {})

    def give(self, trade: Trade, number: str, amount: str) -> bool:
        """Refund and tell; False if this number has been refunded before. Raises: NotRefunded."""
        if not _AMOUNT.fullmatch(amount) or not _NUMBER.fullmatch(number):
            raise NotRefunded("ACQ.INVALID_PARAMETER")
        known = self.trades.refunded(trade.trade_no or "")
        if number not in known and trade.status not in {SUCCESS, CLOSED}:
            finished = trade.status == FINISHED
            raise NotRefunded("ACQ.TRADE_HAS_FINISHED" if finished else "ACQ.TRADE_STATUS_ERROR")
        fen = int(amount.replace(".", ""))
        new = self.trades.refund(trade, number, fen, now=self.now()) if fen else None
        if new is None:
            raise NotRefunded("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
        if new:
            after = self.trades.numbered(trade.trade_no or "")
            assert after is not None
            self.notices.tell(after, refund=number)
        return new

    def look(self, content: Mapping[str, Any]) -> Answer:
        """Say what became of a refund; of one that was never made, nothing. Raises: NotRefunded."""
        trade, number = self._trade(content), str(content.get("out_request_no"))
        fen = self.trades.refunded(trade.trade_no or "").get(number)
        if fen is None:
            return {"code": "10000", "msg": "Success"}
        return _success(trade) | {
            "out_request_no": number,
            "refund_amount": _yuan(fen),
            "refund_status": "REFUND_SUCCESS",
            "total_amount": trade.amount,
        }

    def _trade(self, content: Mapping[str, Any]) -> Trade:
        trade = self.trades.numbered(str(content.get("trade_no", "")))
        if trade is None:
            raise NotRefunded("ACQ.TRADE_NOT_EXIST")
        return trade


def _success(trade: Trade) -> Answer:
    return {
        "code": "10000",
        "msg": "Success",
        "out_trade_no": trade.order_no,
        "trade_no": trade.trade_no or "",
    }


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
