"""What accounts and orders should say, by plain arithmetic: the money model's oracle.

Refunds do not exist yet. A refund will be a method of `Slip` and a line in `Books.compare`.
"""

from dataclasses import dataclass, field

from tests.fixtures import ledger
from wharfage import schema
from wharfage.domain.balance import HoldState
from wharfage.ports import Store

SETTLED = HoldState.SETTLED
UNITS = 100  #: Of a month.


@dataclass
class Month:
    """The units of the month that is open; stories are too short for it to end."""

    granted: int
    remaining: int
    held: int = 0
    used: int = 0


@dataclass
class Purse:
    """One account: what it can spend, what is held for which job, and every move there ever was."""

    available: int = 0
    barred: set[str] = field(default_factory=set)  #: `frozen_at`, `suspended_at`.
    entries: dict[str, int] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)
    captured: dict[str, int] = field(default_factory=dict)
    month: Month | None = None
    later: int = 0  #: Months that were paid and are still to come.
    units: dict[str, int] = field(default_factory=dict)  #: Every move of units.

    def move(self, line: str, fen: int) -> None:
        """Post one entry, which the balance follows."""
        assert line not in self.entries, f"{line} moves twice"
        self.entries[line] = fen
        self.available += fen

    def receive(self, line: str, fen: int) -> None:
        """Post money that came in, which ends a suspension: nothing is owed here."""
        self.move(line, fen)
        self.barred.discard("suspended_at")

    def hold(self, job: str, fen: int) -> None:
        """Set the worst case of a job aside."""
        self.available -= fen
        self.open[job] = fen

    def join(self, order: str, fen: int) -> None:
        """Note a paid month: its price goes out again, its units come."""
        self.move(f"membership#{order}", -fen)
        self.move(f"units#{order}", 0)
        self.units[f"units#{order}"] = UNITS
        if self.month is None:
            self.month = Month(granted=UNITS, remaining=UNITS)
        else:
            self.later += 1

    def hold_units(self, job: str, units: int) -> None:
        """Set the price of a template aside."""
        assert self.month is not None
        self.month.remaining -= units
        self.month.held += units
        self.open[job] = 0

    def settle_units(self, held: int, used: int) -> None:
        """Close a hold of units, all of which or none were used."""
        assert self.month is not None
        self.month.held -= held
        self.month.used += used
        self.month.remaining += held - used

    def settle(self, job: str, fen: int) -> None:
        """Close a hold of which *fen* were used; its entry is posted apart."""
        self.available += self.open.pop(job)
        self.captured[job] = fen


@dataclass
class Slip:
    """One order: what it is for, and by which trades it was paid."""

    account: str
    fen: int
    month: bool = False
    state: str = "open"
    trade: str | None = None
    duplicates: set[str] = field(default_factory=set)

    def paid(self, trade: str) -> bool:
        """Note a payment; tell whether it is the one that is credited."""
        if self.trade is None:
            self.state, self.trade = "paid", trade
            return True
        if trade != self.trade:
            self.duplicates.add(trade)
        return False

    def unpaid(self) -> None:
        """Note that the channel has closed the trade without a payment."""
        if self.state == "open":
            self.state = "closed"


@dataclass
class Books:
    """Every account and every order."""

    purses: dict[str, Purse]
    slips: dict[str, Slip] = field(default_factory=dict)

    def owner_of(self, trade: str) -> str | None:
        """Name the order that a trade number belongs to."""
        owners = [n for n, slip in self.slips.items() if trade in {slip.trade, *slip.duplicates}]
        assert len(owners) <= 1, f"M5: {trade} paid {owners}"
        return owners[0] if owners else None

    def pay(self, number: str, trade: str) -> None:
        """Note that a trade paid an order; the first one is credited."""
        slip = self.slips[number]
        if slip.paid(trade):
            if not slip.month:
                self.purses[slip.account].receive(f"topup#{number}", slip.fen)
            else:
                self.purses[slip.account].move(f"topup#{number}", slip.fen)
                self.purses[slip.account].join(number, slip.fen)

    def compare(self, store: Store) -> None:
        """Fail unless the store says exactly the same."""
        for account, purse in self.purses.items():
            balance = store.get(schema.BALANCE.key(account=account))
            assert balance is not None
            found = (balance.available, balance.held, balance.debt)
            assert found == (purse.available, sum(purse.open.values()), 0), f"{balance} {purse}"
            entries = list(ledger.rows(store, schema.ENTRY, account))
            assert {f"{e.code}#{e.reference}": e.amount_fen for e in entries} == purse.entries
            moved = {f"{e.code}#{e.reference}": e.units for e in entries if e.units}
            assert moved == purse.units
            periods = list(ledger.rows(store, schema.PERIOD, account))
            months = [Month(p.granted, p.remaining, p.held, p.used) for p in periods]
            whole = [Month(granted=UNITS, remaining=UNITS)] * purse.later
            assert months == ([purse.month, *whole] if purse.month else [])
            holds = list(ledger.rows(store, schema.HOLD, account))
            opened = {h.job: h.amount_fen for h in holds if h.state is not SETTLED}
            assert opened == purse.open
            captured = {h.job: h.captured_fen for h in holds if h.state is SETTLED}
            assert captured == purse.captured
        for number, slip in self.slips.items():
            order = store.get(schema.ORDER.key(id=number))
            assert order is not None
            found_order = (order.account, order.amount_fen, order.state, order.trade_no)
            assert found_order == (slip.account, slip.fen, slip.state, slip.trade), f"{order}"
            assert set(order.duplicates) == slip.duplicates
            payments = ledger.rows(store, schema.PAYMENT, number)
            recorded = {each.trade_no: each.duplicate for each in payments}
            credited = {slip.trade: False} if slip.trade else {}
            assert recorded == credited | dict.fromkeys(slip.duplicates, True), "M7"
