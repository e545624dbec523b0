"""What the API answers, as types. Fields that a newer API adds pass through untouched."""

from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar

V = TypeVar("V")


class Waiting(TypedDict):
    """Why a job is not running yet, with the numbers behind it."""

    reason: str
    numbers: dict[str, int]


class Job(TypedDict):
    """A job. An unknown status that is not terminal means: still working."""

    id: str
    status: str
    is_terminal: bool
    image: str
    image_digest: str | None
    pool: str
    priority: str
    resources: dict[str, int]
    max_run_s: int
    attempt: int
    template: str | None
    template_version: int | None
    hold_fen: int
    hold_units: int
    cost_fen: int
    cost_units: int
    price_version: str
    created_at: str
    queued_at: str | None
    claimed_at: str | None
    started_at: str | None
    ended_at: str | None
    host: str | None
    waiting_for: Waiting | None
    reason_code: str | None
    reason_class: str | None
    exit_code: int | None
    signal: int | None
    oom: bool
    version: int


class Attempt(TypedDict):
    """One try of a job on one host."""

    attempt: int
    status: str
    is_terminal: bool
    host: str | None
    queued_at: str | None
    claimed_at: str | None
    started_at: str | None
    ended_at: str | None
    reason_code: str | None
    reason_class: str | None
    exit_code: int | None
    signal: int | None
    oom: bool
    run_seconds: int
    cost_fen: int
    cost_units: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LogPart:
    """A run of bytes of one stream, exactly as the program wrote them."""

    stream: str
    offset: int
    data: bytes
    received_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LogPage:
    """A part of an attempt's log; read on from *next_cursor* until it is *complete*."""

    attempt: int
    items: tuple[LogPart, ...]
    next_cursor: str
    complete: bool
    truncated: bool
    gap: bool


class OrderReview(TypedDict):
    """Why an order was flagged, and where the operator's look at it stands."""

    state: str
    rule: str
    decided_at: str | None


class Order(TypedDict):
    """An order: what is to be paid, and whether it was."""

    id: str
    kind: str
    amount_fen: int
    plan: str | None
    state: str
    channel: str
    created_at: str
    expires_at: str
    paid_at: str | None
    closed_at: str | None
    late: bool
    review: OrderReview | None
    refundable_fen: int
    refunded_fen: int
    version: int


class Pay(TypedDict):
    """How to pay an order: open *url*, scan *qr_text* shown as a QR code, or hand
    *app_string* to the channel's app.
    """

    method: str
    url: str | None
    qr_text: str | None
    app_string: str | None
    expires_at: str


class Channel(TypedDict):
    """What an order can be paid by, in which ways, and between which amounts."""

    name: str
    methods: list[str]
    currency: str
    amount_fen_min: int
    amount_fen_max: int
    available: bool
    retry_after_seconds: int | None


class Membership(TypedDict):
    """Paid months on end, each with its own units."""

    plan: str
    active: bool
    anchor: str
    time_zone: str
    months: int
    ends_at: str


class Period(TypedDict):
    """One month's units: granted = remaining + held + used + lapsed."""

    plan: str
    state: str
    starts_at: str
    ends_at: str
    granted: int
    remaining: int
    held: int
    used: int
    lapsed: int


class Plan(TypedDict):
    """A membership that can be bought, a month at a time."""

    name: str
    title: dict[str, str]
    price_fen: int
    units: int


class Template(TypedDict):
    """A job that the operator prepared; *input* is a schema of what it takes."""

    name: str
    template_version: int
    title: dict[str, str]
    units: int
    price_fen: int
    image: str
    resources: dict[str, int]
    max_run_s: int
    input: dict[str, Any]
    result: dict[str, str] | None
    created_at: str
    retired_at: str | None


class QuotaLine(TypedDict):
    """One limit of an account, and how much of it is used."""

    name: str
    limit: int
    used: int


class Quota(TypedDict):
    """An account's money in fen, its units, and what its work may take."""

    available_fen: int
    held_fen: int
    debt_fen: int
    state: str
    burn_fen: int
    lasts_seconds: int | None
    quotas: list[QuotaLine]
    membership: Membership | None
    period: Period | None
    periods: list[Period]


class Check(TypedDict):
    """What a job would hold and cost."""

    price_version: str
    hourly_fen: int
    max_run_s: int
    source: str
    hold_fen: int
    hold_units: int
    worst_case_fen: int
    available_fen: int
    available_units: int
    sufficient: bool


class Prices(TypedDict):
    """The price list that new work is admitted under."""

    version: str
    vcpu_hour_fen: int
    gb_hour_fen: int


class Entry(TypedDict):
    """One move of money or units; a use is negative."""

    code: str
    reference: str
    amount_fen: int
    units: int
    period: str | None
    debit: str
    credit: str
    posted_at: str
    note: str | None


class Account(TypedDict):
    """An account as its owner and the operator see it."""

    id: str
    email: str
    role: str
    created_at: str
    banned_at: str | None
    pools: list[str]
    time_zone: str
    version: int


class Upload(TypedDict):
    """A file that was announced: its bytes are PUT to *url*, with *headers* as they are."""

    id: str
    name: str | None
    size_bytes: int
    sha256: str
    url: str
    headers: dict[str, str]
    url_expires_at: str
    expires_at: str


class Output(TypedDict):
    """A file that a job left."""

    path: str
    size_bytes: int
    sha256: str
    url: str
    url_expires_at: str


class MissingOutput(TypedDict):
    """A file that was asked for and is not there."""

    path: str
    reason: str


class Outputs(TypedDict):
    """The files of one attempt; *complete*: nothing more will come."""

    attempt: int
    complete: bool
    items: list[Output]
    missing: list[MissingOutput]
    available_until: str | None


class Tokens(TypedDict):
    """What a sign-in gives."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    refresh_expires_at: str
    account: str
    session: str


class Host(TypedDict):
    """A machine of the fleet as the operator sees it."""

    id: str
    name: str
    pool: str
    status: str
    reachable: bool
    labels: dict[str, str]
    capacity: dict[str, int]
    free: dict[str, int] | None
    problem: str | None
    architecture: str
    engine_version: str
    agent_version: str | None
    seen_at: str | None
    drain_by: str | None
    claims: int


class Code(TypedDict):
    """A one-time code that enrols one machine."""

    code: str
    pool: str
    labels: dict[str, str]
    expires_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[V]):
    """A part of a list, newest first; *next_cursor* asks for the part after it."""

    items: list[V]
    next_cursor: str | None


Spec = dict[str, Any]  #: A job as it is submitted; the API checks every field.
