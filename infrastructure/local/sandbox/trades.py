"""The trades that the stand-in knows, and the notifies it owes, in one small SQLite file."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

_SCHEMA = """
CREATE TABLE IF NOT EXISTS trades (
    order_no TEXT PRIMARY KEY, token TEXT UNIQUE NOT NULL, trade_no TEXT, status TEXT,
    amount TEXT NOT NULL, subject TEXT NOT NULL, product TEXT NOT NULL, notify_url TEXT,
    return_url TEXT, expires_at REAL NOT NULL, created_at REAL NOT NULL, paid_at REAL
) STRICT;
CREATE TABLE IF NOT EXISTS notifies (
    id INTEGER PRIMARY KEY, order_no TEXT NOT NULL, url TEXT NOT NULL, body BLOB NOT NULL,
    sends INTEGER NOT NULL DEFAULT 0, due_at REAL, answer TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS twins (trade_no TEXT PRIMARY KEY, order_no TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS refunds (
    trade_no TEXT NOT NULL, number TEXT NOT NULL, order_no TEXT NOT NULL, fen INTEGER NOT NULL,
    made_at REAL NOT NULL, PRIMARY KEY (trade_no, number)
) STRICT;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""

_EVERY = "faults"  #: The setting that holds for every order.

WAITING, SUCCESS = "WAIT_BUYER_PAY", "TRADE_SUCCESS"
FINISHED, CLOSED = "TRADE_FINISHED", "TRADE_CLOSED"


class NotifyFaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong with notifies on purpose, with every channel."""

    repeat: int = 0  #: Every notify is sent so many times more, at once.
    reorder: float = 0.0  #: Every notify waits for a random time up to so many seconds.
    delay: float = 0.0  #: Every notify waits for so many seconds.
    drop: int = 0  #: So many sends are not made; the schedule makes them again.
    tamper: bool = False  #: The amount is changed after signing.
    wrong_amount: bool = False  #: Another amount is signed.
    wrong_seller: bool = False  #: Another seller is signed.
    twice: bool = False  #: Every payment is made a second time, under another trade number.


class BillFaults(NotifyFaults, frozen=True, kw_only=True):
    """What goes wrong with bills as well, with every channel."""

    bill_late: bool = False  #: No day has a bill yet.
    bill_missing: int = 0  #: A bill leaves so many of its rows out.
    bill_extra: int = 0  #: A bill has so many rows of orders that nobody made.
    bill_doubled: int = 0  #: A bill has so many of its rows twice.
    bill_altered: int = 0  #: So many rows of a bill are a yuan too high.
    bill_cut: bool = False  #: A bill ends in the middle of its rows.


class Faults(BillFaults, frozen=True, kw_only=True):
    """What goes wrong on purpose: from now on, or once, when it is wished for one order."""

    query_lost: int = 0  #: So many questions about a trade are not answered.
    refund_lost: int = 0  #: So many refunds are made, and nothing is answered.
    refund_unheard: int = 0  #: So many refunds are not made, and nothing is answered.
    refund_braced: int = 0  #: So many answers to refunds have a brace that breaks their reading.
    bill_bomb: bool = False  #: A bill unpacks to far more than any bill has.


@dataclass(frozen=True, kw_only=True, slots=True)
class Trade:
    """One order of the merchant's; a trade only once the buyer has seen it."""

    order_no: str
    token: str
    amount: str
    subject: str
    product: str
    notify_url: str | None
    return_url: str | None
    expires_at: float
    created_at: float
    trade_no: str | None = None
    status: str | None = None
    paid_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Notify:
    """A signed notify that is owed to the merchant."""

    id: int
    order_no: str
    url: str
    body: bytes
    sends: int


class Trades:
    """The file. Every method is one transaction; threads and restarts share it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)

    def intend(self, trade: Trade) -> Trade | None:
        """Take an order of the merchant's; None if it is known with another amount."""
        fields = asdict(trade)
        names, marks = ", ".join(fields), ", ".join("?" * len(fields))
        with self._writing() as connection:
            connection.execute(
                f"INSERT OR IGNORE INTO trades ({names}) VALUES ({marks})",  # noqa: S608
                tuple(fields.values()),
            )
            known = _one(connection, "order_no", trade.order_no)
        return known if known is not None and known.amount == trade.amount else None

    def find(self, *, now: float, **where: str) -> Trade | None:
        """Find a trade by its `order_no` or `token`; one whose time is over is closed first."""
        [(column, value)] = where.items()
        with self._writing() as connection:
            connection.execute(
                f"UPDATE trades SET status = ? WHERE {_column(column)} = ?"  # noqa: S608
                " AND status = ? AND expires_at <= ?",
                (CLOSED, value, WAITING, now),
            )
            return _one(connection, column, value)

    def see(self, token: str, *, now: float) -> Trade | None:
        """Have the buyer look at the cashier: this is what makes the trade exist."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE trades SET status = ?, trade_no = ? WHERE token = ? AND status IS NULL"
                " AND expires_at > ?",
                (WAITING, new_trade_no(now), token, now),
            )
        return self.find(token=token, now=now)

    def move(self, order_no: str, *, before: str, after: str, now: float) -> Trade | None:
        """Change a trade's status, if it is as expected; None if it is not."""
        with self._writing() as connection:
            changed = connection.execute(
                "UPDATE trades SET status = ?, paid_at = CASE WHEN ? THEN ? ELSE paid_at END"
                " WHERE order_no = ? AND status = ? AND (expires_at > ? OR status <> ?)",
                (after, after == SUCCESS, now, order_no, before, now, WAITING),
            ).rowcount
            return _one(connection, "order_no", order_no) if changed else None

    def twin(self, trade_no: str, order_no: str) -> None:
        """Remember a second payment of an order."""
        with self._writing() as connection:
            connection.execute("INSERT INTO twins VALUES (?, ?)", (trade_no, order_no))

    def numbered(self, trade_no: str) -> Trade | None:
        """Find a trade by its own number; a second payment is its order's, under that number."""
        with closing(self._connect()) as connection:
            row = connection.execute(
                "SELECT * FROM trades WHERE trade_no = ?", (trade_no,)
            ).fetchone()
            if row:
                return Trade(**row)
            twin = connection.execute(
                "SELECT trades.* FROM trades JOIN twins USING (order_no) WHERE twins.trade_no = ?",
                (trade_no,),
            ).fetchone()
        return replace(Trade(**twin), trade_no=trade_no, status=SUCCESS) if twin else None

    def refund(self, trade: Trade, number: str, fen: int, *, now: float) -> bool | None:
        """Give money of a trade back; False if it was done before, None if it is too much."""
        paid_fen = int(trade.amount.replace(".", ""))
        with self._writing() as connection:
            rows = connection.execute(
                "SELECT number, fen FROM refunds WHERE trade_no = ?", (trade.trade_no,)
            )
            made = {row["number"]: row["fen"] for row in rows}
            if number in made:
                return False if made[number] == fen else None
            left = paid_fen - sum(made.values()) - fen
            if left < 0:
                return None
            connection.execute(
                "INSERT INTO refunds VALUES (?,?,?,?,?)",
                (trade.trade_no, number, trade.order_no, fen, now),
            )
            if left == 0:
                connection.execute(
                    "UPDATE trades SET status = ? WHERE trade_no = ?", (CLOSED, trade.trade_no)
                )
        return True

    def refunded(self, trade_no: str) -> dict[str, int]:
        """List what has gone back of a trade, by request number."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT number, fen FROM refunds WHERE trade_no = ? ORDER BY made_at", (trade_no,)
            )
            return {row["number"]: row["fen"] for row in rows}

    def all(self) -> list[Trade]:
        """List every trade, newest first."""
        with closing(self._connect()) as connection:
            rows = connection.execute("SELECT * FROM trades ORDER BY created_at DESC LIMIT 1000")
            return [Trade(**row) for row in rows]

    def paid_between(self, begins_at: float, ends_at: float) -> list[Trade]:
        """List the trades that were paid in a span of time."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT * FROM trades WHERE paid_at >= ? AND paid_at < ? ORDER BY trade_no",
                (begins_at, ends_at),
            )
            return [Trade(**row) for row in rows]

    def refunded_between(self, begins_at: float, ends_at: float) -> list[tuple[Trade, str, int]]:
        """List the refunds of a span of time: the trade as paid then, the number, the amount."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT trade_no, number, fen, made_at FROM refunds"
                " WHERE made_at >= ? AND made_at < ? ORDER BY trade_no, number",
                (begins_at, ends_at),
            ).fetchall()
        found = [(self.numbered(row["trade_no"]), row) for row in rows]
        return [
            (replace(trade, paid_at=row["made_at"]), row["number"], row["fen"])
            for trade, row in found
            if trade is not None
        ]

    def owe(self, order_no: str, url: str, body: bytes, *, due_at: float) -> None:
        """Remember a notify to be sent."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO notifies (order_no, url, body, due_at) VALUES (?,?,?,?)",
                (order_no, url, body, due_at),
            )

    def due(self, now: float) -> list[Notify]:
        """List the notifies to be sent by now, oldest first."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT id, order_no, url, body, sends FROM notifies"
                " WHERE due_at <= ? ORDER BY due_at, id LIMIT 100",
                (now,),
            )
            return [Notify(**row) for row in rows]

    def next_due(self) -> float | None:
        """Say when the next notify is to be sent."""
        with closing(self._connect()) as connection:
            return _number(connection.execute("SELECT MIN(due_at) AS at FROM notifies").fetchone())

    def sent(self, notify: Notify, *, answer: str, due_at: float | None) -> None:
        """Remember how a send went, and when to send again, if at all."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE notifies SET sends = ?, answer = ?, due_at = ? WHERE id = ?",
                (notify.sends + 1, answer[:200], due_at, notify.id),
            )

    def again(self, order_no: str, *, now: float) -> int:
        """Have every notify of an order sent again; say how many there are."""
        with self._writing() as connection:
            return connection.execute(
                "UPDATE notifies SET due_at = ?, sends = 0 WHERE order_no = ?", (now, order_no)
            ).rowcount

    def notifies(self, order_no: str) -> list[dict[str, Any]]:
        """List what was sent about an order, and what the merchant answered."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT id, sends, due_at, answer FROM notifies WHERE order_no = ? ORDER BY id",
                (order_no,),
            )
            return [dict(row) for row in rows]

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose now, with every order."""
        with closing(self._connect()) as connection:
            return _faults(connection, _EVERY)

    def set_faults(self, faults: Faults) -> None:
        """Choose what goes wrong from now on, with every order."""
        with self._writing() as connection:
            _keep(connection, _EVERY, faults)

    def wished(self, order_no: str) -> Faults:
        """What is still to go wrong with this order alone."""
        with closing(self._connect()) as connection:
            return _faults(connection, _of(order_no))

    def wish(self, order_no: str, faults: Faults) -> None:
        """Choose what is to go wrong with one order, once."""
        with self._writing() as connection:
            _keep(connection, _of(order_no), faults)

    def take(self, order_no: str, *names: str) -> Faults:
        """Say what goes wrong with an order now; of its own, those of these *names* are used up."""
        with self._writing() as connection:
            own, every = _faults(connection, _of(order_no)), _faults(connection, _EVERY)
            wished = {name: value for name, value in msgspec.structs.asdict(own).items() if value}
            left = {name: value for name, value in wished.items() if name not in names}
            if left != wished:
                _keep(connection, _of(order_no), Faults(**left))
        return msgspec.structs.replace(every, **wished)

    def spend(self, name: str, order_no: str) -> bool:
        """Use up one of the faults of this name, the order's own first, if there is one left."""
        with self._writing() as connection:
            for whose in (_of(order_no), _EVERY):
                faults = _faults(connection, whose)
                if (left := getattr(faults, name)) > 0:
                    _keep(connection, whose, msgspec.structs.replace(faults, **{name: left - 1}))
                    return True
        return False

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=10, isolation_level=None)
        connection.row_factory = sqlite3.Row
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")


def new_token() -> str:
    """Make the secret part of a cashier's address."""
    return secrets.token_urlsafe(16)


def new_trade_no(now: float) -> str:
    """Make a trade number of 28 digits, as Alipay's are."""
    return f"{int(now * 1000):014d}{secrets.randbelow(10**14):014d}"


def _one(connection: sqlite3.Connection, column: str, value: str) -> Trade | None:
    query = f"SELECT * FROM trades WHERE {_column(column)} = ?"  # noqa: S608
    row = connection.execute(query, (value,)).fetchone()
    return Trade(**row) if row else None


def _column(name: str) -> str:
    assert name in {"order_no", "token"}, "trades are found by these"
    return name


def _of(order_no: str) -> str:
    return f"faults:{order_no}"


def _faults(connection: sqlite3.Connection, whose: str) -> Faults:
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (whose,)).fetchone()
    return msgspec.json.decode(row["value"], type=Faults) if row else Faults()


def _keep(connection: sqlite3.Connection, whose: str, faults: Faults) -> None:
    if whose != _EVERY and faults == Faults():
        connection.execute("DELETE FROM settings WHERE name = ?", (whose,))
        return
    value = msgspec.json.encode(faults).decode()
    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (whose, value))


def _number(row: sqlite3.Row) -> float | None:
    return None if row["at"] is None else float(row["at"])
