"""The guards of channels that do not answer, name their pages, or end refunds later, by name."""

from tests.simulation.mutation import Mutation

_GUARDED = "wharfage.adapters.breakers:Guarded."
_RESTS = "if self._breakers.rest_seconds(self.name) else"

CHANNELS = (
    Mutation(
        "order asked about while its channel rests", _GUARDED + "query",
        "self._channel.query(order)",
        f"TradeView(status=TradeStatus.UNKNOWN) {_RESTS} self._channel.query(order)",
    ),
    Mutation(
        "refund asked about while its channel rests", _GUARDED + "query_refund",
        "self._channel.query_refund(order, refund)",
        f"RefundView(status=RefundStatus.UNKNOWN) {_RESTS} "
        "self._channel.query_refund(order, refund)",
    ),
    Mutation(
        "pending refund is no success, when it is made", "wharfage.domain.refund:called",
        "case RefundStatus.SUCCEEDED if view.amount_fen in {None, refund.amount_fen}:",
        "case RefundStatus.SUCCEEDED | RefundStatus.PENDING:",
    ),
    Mutation(
        "pending refund is no success, when it is asked about", "wharfage.domain.refund:asked",
        "case RefundStatus.SUCCEEDED if amount_fen and "
        "(console or amount_fen == refund.amount_fen):",
        "case RefundStatus.SUCCEEDED | RefundStatus.PENDING:",
    ),
    Mutation(
        "pending refund is no failure", "wharfage.domain.refund:asked",
        "case RefundStatus.FAILED:", "case RefundStatus.FAILED | RefundStatus.PENDING:",
    ),
    Mutation(
        "refund that failed later goes back to the balance", "wharfage.domain.refund:asked",
        "return _failed(after, view.reason, now)\n        case RefundStatus.NOT_FOUND if refund.f",
        "return _next(after, state=RefundState.SUCCEEDED, due_at=None, ended_at=now)\n"
        "        case RefundStatus.NOT_FOUND if refund.f",
    ),
    Mutation(
        "page known to its order before it is shown", "wharfage.operations.orders:pay",
        "if action.reference is not None:", "if False:",
    ),
    Mutation(
        "notify of another channel than the order's", "wharfage.operations.payments:_judge",
        "order is None or order.channel != channel.name", "order is None",
    ),
)  # fmt: skip
