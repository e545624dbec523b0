"""What operations need from outside, as protocols; and Ports, the bundle they are given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, Protocol, TypeVar

from wharfage.domain.bill import Bill
from wharfage.domain.link import Link, ObjectHead
from wharfage.domain.membership import Plan
from wharfage.domain.order import Order
from wharfage.domain.price import PriceList
from wharfage.domain.record import Record
from wharfage.domain.refund import Refund, RefundView
from wharfage.domain.terms import Terms
from wharfage.domain.trade import (
    UNNAMED,
    Acknowledgement,
    Capabilities,
    CloseOutcome,
    NotifyRequest,
    PayAction,
    Payer,
    PayMethod,
    Reception,
    TradeEvent,
    TradeView,
)
from wharfage.messages import Doorbell
from wharfage.schema import Index, Kind
from wharfage.transaction import Action, Key

R = TypeVar("R", bound=Record)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; *next* continues it, None when there is no more."""

    items: tuple[T, ...]
    next: str | None = None


class Store(Protocol):
    """Durable rows, consistent reads, and transactions as data."""

    def get(self, key: Key[R]) -> R | None:
        """Read one record consistently."""

    def get_many(self, keys: Sequence[Key[Any]]) -> list[Any]:
        """Read up to 100 records in one consistent batch; None where there is none."""

    def query(
        self,
        kind: Kind[R],
        partition: str,
        *,
        prefix: str | None = None,
        after: str | None = None,
        newest_first: bool = False,
        limit: int,
    ) -> Page[R]:
        """Read a page of one partition consistently, in the order of sort keys.

        *prefix* narrows to sort keys that begin with it (the kind's own fixed prefix if None);
        *after* is the `next` of the page before.
        """

    def nominate(
        self, kind: Kind[R], index: Index, partition: str, *, until: datetime | None, limit: int
    ) -> list[Key[R]]:
        """Name up to *limit* items of an index partition, oldest first, at or before *until*.

        Eventually consistent: read each before you believe it.
        """

    def timeline(
        self, kind: Kind[R], partition: str, *, after: str | None = None, limit: int
    ) -> Page[R]:
        """Read a page of a timeline, newest first. Eventually consistent."""

    def commit(self, *actions: Action) -> None:
        """Apply all actions or none; repeat while the outcome is unknown.

        Raises: what `otherwise` of the first failed action says (StateConflict if it has none),
        Unavailable after too many conflicts or throttles, Unanswered if the outcome stays unknown.
        """


class Queue(Protocol):
    """Hints to the hosts. What is sent may be lost, repeated or late, and nothing breaks."""

    def ring(self, pool: str, bells: Sequence[Doorbell]) -> None:
        """Tell a pool that there may be work. Never raises: a lost bell is rung again."""

    def nudge(self, host: str) -> None:
        """Tell a host to look at its assignments. Never raises."""

    def open_mailbox(self, host: str) -> str:
        """Make the host's own queue and return its name; a repeat agrees."""

    def close_mailbox(self, host: str) -> None:
        """Delete the host's own queue; a repeat agrees."""


class Objects(Protocol):
    """Files by key. Their bytes go past us: who holds a link sends or fetches them by it."""

    def put_link(self, key: str, *, size_bytes: int, sha256: str, seconds: int) -> Link:
        """Make a link that takes exactly these bytes, as often as they are sent."""

    def get_link(self, key: str, *, name: str, seconds: int) -> Link:
        """Make a link that gives the bytes, to be saved as *name*."""

    def head(self, key: str) -> ObjectHead | None:
        """Say what is there; None if nothing is. Raises: Unavailable."""

    def delete(self, key: str) -> None:
        """Remove what is there; a repeat agrees. Raises: Unavailable."""


class Channel(Protocol):
    """A payment channel, without state. An unanswered call is unknown, never failed."""

    @property
    def name(self) -> str:
        """The channel's name, as orders keep it."""

    @property
    def seller(self) -> str:
        """Whom the channel must name as the one who was paid."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, and between which amounts."""

    def create(self, order: Order, method: PayMethod, payer: Payer = UNNAMED) -> PayAction:
        """Say how the customer pays this order; the same order always gives the same trade.

        Raises: Invalid when the channel does not know the payer or has begun the order in another
        way, Unavailable when it refuses otherwise, Unanswered when its answer is not known.
        """

    def parse_notify(self, request: NotifyRequest) -> TradeEvent:
        """Believe a notify's form and signature; what it says is not compared with the order.

        Raises: NotifyRefused, with the step that failed.
        """

    def acknowledge(self, reception: Reception) -> Acknowledgement:
        """Say in the channel's own words how a notify was received."""

    def query(self, order: Order) -> TradeView:
        """Ask what became of an order's trade; `unknown` is an answer."""

    def close(self, order: Order) -> CloseOutcome:
        """End an unpaid trade so that it cannot be paid any more."""

    def refund(self, order: Order, refund: Refund) -> RefundView:
        """Give money back. `refund.id` is the request number: a repeat moves nothing again."""

    def query_refund(self, order: Order, refund: Refund) -> RefundView:
        """Ask what became of a refund; `unknown` is an answer."""

    def fetch_bill(self, day: date) -> Bill:
        """Fetch what the channel booked on a day that is over; a day without a bill is none.

        Raises: Unavailable, Unanswered, BillRefused when what came cannot be believed.
        """


class Breakers(Protocol):
    """Which channels get no new orders for a while, as this process has found them."""

    def rest_seconds(self, channel: str) -> int:
        """Say for how long no new order goes to a channel; 0 if it takes them."""


class Clock(Protocol):
    """The time, and nothing else."""

    def now(self) -> datetime:
        """Return the time now, aware, UTC, in whole milliseconds."""


class Ids(Protocol):
    """Names that nobody can guess."""

    def new(self, prefix: str) -> str:
        """Return `<prefix>_` and 26 characters that sort by time, with 80 random bits."""

    def secret(self) -> str:
        """Return small letters and digits with at least 256 random bits."""


class Passwords(Protocol):
    """One-way password hashes."""

    def hash(self, password: str) -> str:
        """Hash a password, slowly, with a salt of its own."""

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether it fits; with no hash, take as long and say no."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessClaims:
    """What an access token says, after its signature was checked."""

    account: str
    session: str
    epoch: int
    expires_at: datetime


class AccessTokens(Protocol):
    """Short-lived signed tokens."""

    def issue(self, claims: AccessClaims) -> str:
        """Sign a token."""

    def read(self, token: str, now: datetime) -> AccessClaims:
        """Check a token and return what it says. Raises: Unauthenticated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueCredentials:
    """Short-lived credentials that open one host's queues and nothing else."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime
    region: str
    sqs_endpoint: str | None
    pool_queue_url: str
    mailbox_queue_url: str


class CredentialIssuer(Protocol):
    """Makes scoped queue credentials."""

    def issue(self, *, host: str, pool: str, mailbox: str) -> QueueCredentials:
        """Make credentials for this host's pool queue and mailbox. Raises: Unavailable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Everything an operation may reach."""

    store: Store
    queue: Queue
    channels: Mapping[str, Channel]  #: The preferred one first.
    breakers: Breakers
    clock: Clock
    ids: Ids
    passwords: Passwords
    access_tokens: AccessTokens
    credentials: CredentialIssuer
    objects: Objects
    prices: PriceList
    plans: Mapping[str, Plan]  #: What memberships there are, by name.
    terms: Terms
