"""Orders: open, pay, have money back, have it invoiced; channels, plans; the operator's part."""

from wharfage.domain import rate
from wharfage.domain.dispute import Disputed, DisputeState
from wharfage.domain.invoice import AskInvoice, InvoiceState, RedNoteState
from wharfage.domain.order import OrderStanding
from wharfage.domain.refund import RefundState
from wharfage.domain.risk import ReviewState
from wharfage.operations import (
    channels,
    disputes,
    invoices,
    memberships,
    notifies,
    orders,
    refunds,
    reviews,
)
from wharfage.operations.channels import ChannelOffer
from wharfage.operations.disputes import DisputeView
from wharfage.operations.invoices import InvoiceView, IssueInvoice, RedNoteView, RejectInvoice
from wharfage.operations.memberships import PlanView
from wharfage.operations.notifies import Inspection, InspectNotify
from wharfage.operations.orders import OpenOrder, OrderView, PayOrder, PayView
from wharfage.operations.refunds import AskRefund, OrderRefundView, RejectRefund
from wharfage.operations.reviews import FlaggedOrder
from wharfage.web import App, Created, Limit, Listing, Wait, admin, public, signed_in

app = App("orders")


@app.route("/v1/orders", methods=["POST"], auth=signed_in(), idempotent=True, rates=[rate.ORDERS])
def open_order(body: OpenOrder) -> Created[OrderView]:
    """Open an order that waits fifteen minutes for its payment."""
    made = orders.open(app.ports, app.principal, body, key=app.idempotency_key)
    return Created(made.value, location=f"/v1/orders/{made.value.id}", replayed=made.replayed)


@app.route("/v1/orders", methods=["GET"], auth=signed_in())
def index(limit: Limit = 20, cursor: str | None = None) -> Listing[OrderView]:
    """List your orders, newest first."""
    page = orders.find_all(app.ports, app.principal, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/orders/{order_id}", methods=["GET"], auth=signed_in())
def show(order_id: str, wait: Wait = 0) -> OrderView:
    """Show an order. With `wait`, wait until it is no longer open."""
    return app.wait_for(
        lambda: orders.find(app.ports, app.principal, order_id),
        lambda order: order.state is not OrderStanding.OPEN,
        wait,
    )


@app.route("/v1/orders/{order_id}/pay", methods=["POST"], auth=signed_in())
def pay(order_id: str, body: PayOrder) -> PayView:
    """Say how to pay an open order: a page to open, a text for a QR code or for an app."""
    address = app.request.source_ip
    return orders.pay(app.ports, app.principal, order_id, body, address=address)


@app.route("/v1/orders/{order_id}/cancel", methods=["POST"], auth=signed_in())
def cancel(order_id: str) -> OrderView:
    """Close an open order. A payment that came first wins."""
    return orders.cancel(app.ports, app.principal, order_id)


@app.route("/v1/admin/reviews", methods=["GET"], auth=admin())
def index_reviews(limit: Limit = 20, cursor: str | None = None) -> Listing[FlaggedOrder]:
    """List the orders that the rules have flagged, newest first."""
    page = reviews.find_all(app.ports, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/admin/reviews/{order_id}/approve", methods=["POST"], auth=admin())
def approve(order_id: str) -> FlaggedOrder:
    """Let a flagged order be paid, within fifteen minutes from now. A repeat agrees."""
    return reviews.decide(app.ports, app.principal, order_id, ReviewState.APPROVED)


@app.route("/v1/admin/reviews/{order_id}/refuse", methods=["POST"], auth=admin())
def refuse(order_id: str) -> FlaggedOrder:
    """Close a flagged order. A repeat agrees."""
    return reviews.decide(app.ports, app.principal, order_id, ReviewState.REFUSED)


@app.route("/v1/admin/notifies/inspect", methods=["POST"], auth=admin())
def inspect_notify(body: InspectNotify) -> Inspection:
    """Say which check a notify fails and why, or what it would do. Nothing is changed."""
    return notifies.inspect(app.ports, body)


@app.route("/v1/channels", methods=["GET"], auth=public())
def index_channels() -> Listing[ChannelOffer]:
    """List what an order can be paid by: in which ways, between which amounts, and whether now."""
    return app.listing(channels.find_all(app.ports), None)


@app.route("/v1/plans", methods=["GET"], auth=public())
def plans() -> Listing[PlanView]:
    """List the memberships that can be bought, a month at a time."""
    return app.listing(memberships.plans(app.ports), None)


@app.route("/v1/orders/{order_id}/refunds", methods=["POST"], auth=signed_in(), idempotent=True)
def ask_refund(order_id: str, body: AskRefund) -> Created[OrderRefundView]:
    """Ask for an order's money back. It leaves the balance now; the operator decides."""
    made = refunds.ask(app.ports, app.principal, order_id, body, key=app.idempotency_key)
    return Created(made.value, replayed=made.replayed)


@app.route("/v1/orders/{order_id}/refunds", methods=["GET"], auth=signed_in())
def order_refunds(
    order_id: str, limit: Limit = 20, cursor: str | None = None
) -> Listing[OrderRefundView]:
    """List an order's refunds."""
    page = refunds.find_all(app.ports, app.principal, order_id, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/admin/refunds", methods=["GET"], auth=admin())
def refunds_in_state(
    state: RefundState = RefundState.REQUESTED, limit: Limit = 20, cursor: str | None = None
) -> Listing[OrderRefundView]:
    """List every account's refunds in a state, newest first; those that wait for you by default."""
    page = refunds.in_state(app.ports, state, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/admin/refunds/{order_id}/{refund_id}/approve", methods=["POST"], auth=admin())
def approve_refund(order_id: str, refund_id: str) -> OrderRefundView:
    """Let a refund be carried out."""
    return refunds.approve(app.ports, app.principal, order_id, refund_id)


@app.route("/v1/admin/refunds/{order_id}/{refund_id}/reject", methods=["POST"], auth=admin())
def reject_refund(order_id: str, refund_id: str, body: RejectRefund) -> OrderRefundView:
    """Refuse a refund that waits; its money is available again."""
    return refunds.reject(app.ports, app.principal, order_id, refund_id, body)


@app.route("/v1/invoices", methods=["POST"], auth=signed_in())
def ask_invoice(body: AskInvoice) -> Created[InvoiceView]:
    """Ask for the fapiao of a month that is over. The same again is the same invoice."""
    made = invoices.ask(app.ports, app.principal, body)
    return Created(made.value, location=f"/v1/invoices/{made.value.id}", replayed=made.replayed)


@app.route("/v1/invoices", methods=["GET"], auth=signed_in())
def index_invoices(limit: Limit = 20, cursor: str | None = None) -> Listing[InvoiceView]:
    """List your invoices, newest first."""
    page = invoices.find_all(app.ports, app.principal, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/invoices/{invoice_id}", methods=["GET"], auth=signed_in())
def show_invoice(invoice_id: str) -> InvoiceView:
    """Show an invoice."""
    return invoices.find(app.ports, app.principal, invoice_id)


@app.route("/v1/admin/invoices", methods=["GET"], auth=admin())
def invoices_in_state(
    state: InvoiceState = InvoiceState.REQUESTED, limit: Limit = 20, cursor: str | None = None
) -> Listing[InvoiceView]:
    """List every account's invoices in a state, newest first; what waits for you by default."""
    page = invoices.in_state(app.ports, state, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/admin/invoices/{user_id}/{invoice_id}/issue", methods=["POST"], auth=admin())
def issue_invoice(user_id: str, invoice_id: str, body: IssueInvoice) -> InvoiceView:
    """Note that a fapiao is written, with its number. The same again changes nothing."""
    return invoices.issue(app.ports, app.principal, user_id, invoice_id, body)


@app.route("/v1/admin/invoices/{user_id}/{invoice_id}/reject", methods=["POST"], auth=admin())
def reject_invoice(user_id: str, invoice_id: str, body: RejectInvoice) -> InvoiceView:
    """Refuse an invoice that waits, with a reason; its month can be asked for again."""
    return invoices.reject(app.ports, app.principal, user_id, invoice_id, body)


@app.route("/v1/admin/red-notes", methods=["GET"], auth=admin())
def red_notes(
    state: RedNoteState = RedNoteState.DUE, limit: Limit = 20, cursor: str | None = None
) -> Listing[RedNoteView]:
    """List what went back of invoices that were written, newest first; what is due by default."""
    page = invoices.red_notes(app.ports, state, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/admin/red-notes/{user_id}/{note_id}/write", methods=["POST"], auth=admin())
def write_red_note(user_id: str, note_id: str, body: IssueInvoice) -> RedNoteView:
    """Note that a red-letter note is written, with its number. The same again changes nothing."""
    return invoices.write_red_note(app.ports, app.principal, user_id, note_id, body)


@app.route("/v1/admin/disputes", methods=["GET"], auth=admin())
def disputes_in_state(
    state: DisputeState = DisputeState.OPEN, limit: Limit = 20, cursor: str | None = None
) -> Listing[DisputeView]:
    """List every account's disputes in a state, newest first; those that are open by default."""
    page = disputes.in_state(app.ports, state, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/admin/disputes/{order_id}", methods=["POST"], auth=admin())
def tell_of_dispute(order_id: str, body: Disputed) -> DisputeView:
    """Tell of a chargeback or complaint: opened, won or lost. What is known changes nothing."""
    return disputes.tell(app.ports, app.principal, order_id, body)
