"""Every stored thing: its table, keys, indexes, due and TTL, in one frozen table.

The embedded store reads it; the pynamodb models and `infrastructure/tables.yaml` are tested
equal to it. Attributes beside the record's own: `partition` and `sort` (the key), `record` (the
kind's name), and the partition attribute of each index the kind is in. An item is in a sparse
index while it has that index's sort attribute.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from string import Formatter
from typing import Any, Generic, Literal, TypeVar

from wharfage.domain.account import (
    Account,
    DirectoryEntry,
    EmailClaim,
    KeyRecord,
    OperatorCode,
    RateWindow,
    Session,
)
from wharfage.domain.balance import Balance, Entry, Hold
from wharfage.domain.dispute import Dispute
from wharfage.domain.event import Event
from wharfage.domain.host import (
    Assignment,
    EnrolmentCode,
    FleetMember,
    Host,
    HostFacts,
    Watch,
)
from wharfage.domain.invoice import Invoice, InvoiceClaim, RedNote
from wharfage.domain.job import AttemptRecord, Job, SpecRecord
from wharfage.domain.log import LogChunk, LogStream
from wharfage.domain.membership import Membership, QuotaPeriod
from wharfage.domain.order import Order
from wharfage.domain.output import OutputSet
from wharfage.domain.payment import Payment, TradeBinding
from wharfage.domain.reconciliation import Billed, Break, Reconciliation
from wharfage.domain.record import Record
from wharfage.domain.refund import Refund
from wharfage.domain.report import DailyReport
from wharfage.domain.review import ReviewEntry
from wharfage.domain.risk import OrderFlow
from wharfage.domain.statement import Carried
from wharfage.domain.template import Template, TemplateHead
from wharfage.domain.upload import Upload, UploadCount
from wharfage.domain.usage import Spend, Usage
from wharfage.transaction import Key

R = TypeVar("R", bound=Record)

BUSY = 8  #: Over so many partitions of the due index a busy kind is spread.


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """A sparse secondary index of a table. It nominates; it never decides."""

    name: str
    partition: str
    sort: str
    projection: Literal["KEYS_ONLY", "ALL"]


DUE = Index(name="due", partition="due", sort="due_at", projection="KEYS_ONLY")
READY = Index(name="ready", partition="ready", sort="ready_at", projection="KEYS_ONLY")
TIMELINE = Index(name="timeline", partition="timeline", sort="timeline_at", projection="ALL")

#: The indexes of each table.
TABLES: Mapping[str, tuple[Index, ...]] = {
    "accounts": (DUE,),
    "money": (DUE, TIMELINE),
    "work": (DUE, READY),
    "hosts": (DUE,),
    "logs": (),
    "events": (),
}

KEY_ATTRIBUTES = ("partition", "sort")

#: The attribute, in epoch seconds, after which DynamoDB may delete an item.
TTL = "ttl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind(Generic[R]):
    """How one kind of record is stored. Key templates name fields of the record."""

    name: str
    record: type[R]
    table: str
    partition: str
    sort: str
    due: int = 0  #: Its `due_at` puts it in the due index, in one of so many partitions.
    ready: str | None = None  #: Template of its partition in the ready index.
    timeline: tuple[str, str] | None = None  #: Templates of partition and sort in the timeline.
    ttl: str | None = None  #: The field after whose time the item may be deleted.

    def key(self, **fields: object) -> Key[R]:
        """Return the key of the record that has these fields."""
        return Key(self.table, fill(self.partition, fields), fill(self.sort, fields))

    def sort_prefix(self) -> str:
        """Return the fixed text that every sort key of this kind begins with."""
        return next(iter(Formatter().parse(self.sort)))[0]


ACCOUNT = Kind(
    name="account", record=Account, table="accounts", partition="{id}", sort="account", due=BUSY
)
DIRECTORY = Kind(
    name="directory", record=DirectoryEntry, table="accounts", partition="directory",
    sort="{account}",
)  # fmt: skip
EMAIL = Kind(
    name="email", record=EmailClaim, table="accounts", partition="email#{email}", sort="email"
)
SESSION = Kind(
    name="session", record=Session, table="accounts", partition="{account}", sort="session#{id}",
    ttl="expires_at",
)  # fmt: skip
KEY = Kind(
    name="key", record=KeyRecord, table="accounts", partition="{account}",
    sort="key#{operation}#{key}",
)  # fmt: skip
OPERATOR_CODE = Kind(
    name="operator_code", record=OperatorCode, table="accounts", partition="operator", sort="code"
)
RATE = Kind(
    name="rate", record=RateWindow, table="accounts", partition="rate#{action}#{principal}",
    sort="{window}", ttl="expires_at",
)  # fmt: skip
FLOW = Kind(
    name="flow", record=OrderFlow, table="accounts", partition="{account}", sort="flow#{window}",
    ttl="expires_at",
)  # fmt: skip

BALANCE = Kind(name="balance", record=Balance, table="money", partition="{account}", sort="balance")
ENTRY = Kind(
    name="entry", record=Entry, table="money", partition="{account}",
    sort="entry#{code}#{reference}",
    timeline=("{account}#entries", "{posted_at}#{code}#{reference}"),
)  # fmt: skip
CARRIED = Kind(
    name="carried", record=Carried, table="money", partition="{account}", sort="carried#{at}"
)
USAGE = Kind(
    name="usage", record=Usage, table="money", partition="{account}", sort="usage", due=BUSY
)
SPEND = Kind(
    name="spend", record=Spend, table="accounts", partition="{account}", sort="spend#{day}",
    ttl="expires_at",
)  # fmt: skip
HOLD = Kind(name="hold", record=Hold, table="money", partition="{account}", sort="hold#{id}")
MEMBERSHIP = Kind(
    name="membership", record=Membership, table="money", partition="{account}", sort="membership",
    due=1,
)  # fmt: skip
PERIOD = Kind(
    name="period", record=QuotaPeriod, table="money", partition="{account}",
    sort="period#{starts_at}", due=1,
)  # fmt: skip
ORDER = Kind(
    name="order", record=Order, table="money", partition="{id}", sort="order", due=BUSY,
    timeline=("{account}#orders", "{created_at}#{id}"),
)  # fmt: skip
REVIEW = Kind(
    name="review", record=ReviewEntry, table="money", partition="reviews", sort="{asked_at}#{order}"
)
PAYMENT = Kind(
    name="payment",
    record=Payment,
    table="money",
    partition="{order}",
    sort="payment#{channel}#{trade_no}",
    # By day, so that the payments of one can be listed; a time is text here, and begins with it.
    timeline=("payments#{channel}#{recorded_at:.10}", "{recorded_at}#{order}#{trade_no}"),
)
TRADE = Kind(
    name="trade", record=TradeBinding, table="money", partition="trade#{channel}#{trade_no}",
    sort="trade",
)  # fmt: skip
RECONCILIATION = Kind(
    name="reconciliation", record=Reconciliation, table="money", partition="reconciliation",
    sort="{day}#{channel}", due=1,
)  # fmt: skip
BREAK = Kind(
    name="break", record=Break, table="money", partition="breaks#{channel}#{day}", sort="{id}"
)
BILLED = Kind(
    name="billed", record=Billed, table="money", partition="billed#{channel}#{order}",
    sort="{kind}#{number}",
)  # fmt: skip
DAILY_REPORT = Kind(
    name="daily_report", record=DailyReport, table="money", partition="daily_report",
    sort="{day}#{round:04d}",
)  # fmt: skip
REFUND = Kind(
    name="refund", record=Refund, table="money", partition="{order}", sort="refund#{id}", due=1,
    timeline=("refunds#{state}", "{created_at}#{id}"),
)  # fmt: skip
INVOICE = Kind(
    name="invoice", record=Invoice, table="money", partition="{account}", sort="invoice#{id}",
    due=1, timeline=("invoices#{state}", "{created_at}#{id}"),
)  # fmt: skip
INVOICE_CLAIM = Kind(
    name="invoice_claim", record=InvoiceClaim, table="money", partition="{account}",
    sort="invoiced#{month}",
)  # fmt: skip
RED_NOTE = Kind(
    name="red_note", record=RedNote, table="money", partition="{account}", sort="red_note#{id}",
    timeline=("red_notes#{state}", "{created_at}#{id}"),
)  # fmt: skip

DISPUTE = Kind(
    name="dispute", record=Dispute, table="money", partition="{order}", sort="dispute#{id}", due=1,
    timeline=("disputes#{state}", "{opened_at}#{order}#{id}"),
)  # fmt: skip

JOB = Kind(
    name="job", record=Job, table="work", partition="{account}", sort="{id}", due=BUSY,
    ready="{pool}",
)  # fmt: skip
SPEC = Kind(name="spec", record=SpecRecord, table="work", partition="{job}", sort="spec")
ATTEMPT = Kind(
    name="attempt", record=AttemptRecord, table="work", partition="{job}",
    sort="attempt#{attempt:04d}",
)  # fmt: skip
OUTPUTS = Kind(
    name="outputs", record=OutputSet, table="work", partition="{job}", sort="outputs#{attempt:04d}",
    due=BUSY,
)  # fmt: skip
UPLOAD = Kind(
    name="upload", record=Upload, table="work", partition="uploads#{account}", sort="{id}", due=BUSY
)
UPLOAD_COUNT = Kind(
    name="upload_count", record=UploadCount, table="work", partition="uploads#{account}",
    sort="count",
)  # fmt: skip
TEMPLATE = Kind(
    name="template", record=TemplateHead, table="work", partition="templates", sort="{name}"
)
TEMPLATE_VERSION = Kind(
    name="template_version", record=Template, table="work", partition="template#{name}",
    sort="{version:06d}",
)  # fmt: skip

HOST = Kind(name="host", record=Host, table="hosts", partition="{id}", sort="state", due=BUSY)
FACTS = Kind(name="facts", record=HostFacts, table="hosts", partition="{id}", sort="facts")
FLEET = Kind(name="fleet", record=FleetMember, table="hosts", partition="fleet", sort="{id}")
ASSIGNMENT = Kind(
    name="assignment", record=Assignment, table="hosts", partition="{host}",
    sort="assignment#{job}#{attempt:04d}",
)  # fmt: skip
ENROLMENT = Kind(
    name="enrolment", record=EnrolmentCode, table="hosts", partition="enrolment#{code_hash}",
    sort="enrolment", ttl="expires_at",
)  # fmt: skip
WATCH = Kind(name="watch", record=Watch, table="hosts", partition="watch", sort="watch")

LOG_STREAM = Kind(
    name="log_stream", record=LogStream, table="logs", partition="{job}#{attempt:04d}",
    sort="head#{stream}", ttl="expires_at",
)  # fmt: skip
LOG_CHUNK = Kind(
    name="log_chunk", record=LogChunk, table="logs", partition="{job}#{attempt:04d}",
    sort="{stream}#{offset:012d}", ttl="expires_at",
)  # fmt: skip

EVENT = Kind(
    name="event", record=Event, table="events", partition="{subject}", sort="{id}", ttl=None
)

KINDS: tuple[Kind[Any], ...] = (
    ACCOUNT, DIRECTORY, EMAIL, SESSION, KEY, OPERATOR_CODE, RATE, FLOW,
    BALANCE, USAGE, SPEND, ENTRY, CARRIED, HOLD, MEMBERSHIP, PERIOD, ORDER, REVIEW, PAYMENT, TRADE,
    REFUND, DISPUTE, INVOICE, INVOICE_CLAIM, RED_NOTE,
    RECONCILIATION, BREAK, BILLED, DAILY_REPORT,
    JOB, SPEC, ATTEMPT, OUTPUTS, UPLOAD, UPLOAD_COUNT, TEMPLATE, TEMPLATE_VERSION,
    HOST, FACTS, FLEET, ASSIGNMENT, ENROLMENT, WATCH,
    LOG_STREAM, LOG_CHUNK,
    EVENT,
)  # fmt: skip


def due_partition(kind: str, number: int) -> str:
    """Name one of the due index's partitions for a kind."""
    return f"{kind}#{number}"


@lru_cache(maxsize=128)  # A sweep asks a hundred partitions about one moment.
def timestamp(moment: datetime) -> str:
    """Write a moment as UTC with milliseconds: fixed width, so text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def fill(template: str, fields: Mapping[str, object]) -> str:
    """Write fields of a record into the template of a key; a moment so that it sorts."""
    return template.format_map({name: _plain(fields[name]) for name in named(template)})


@cache
def named(template: str) -> tuple[str, ...]:
    """Return the fields that a template names."""
    return tuple(name for _, name, _, _ in Formatter().parse(template) if name)


def _plain(value: object) -> object:
    return timestamp(value) if isinstance(value, datetime) else value
