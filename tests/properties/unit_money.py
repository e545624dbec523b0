"""Money by months and templates: bought with an order, spent whole from one source."""

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.fixtures.units import UPSCALE
from tests.properties.books import Books, Purse, Slip
from tests.properties.job_money import Work
from tests.properties.order_money import PICKS
from tests.properties.scene import Scene
from tests.properties.weather import CALM, SPELLS, Spell
from wharfage.domain.account import Principal
from wharfage.domain.errors import (
    AccountFrozen,
    AccountSuspended,
    InsufficientFunds,
    KeyReused,
    RateLimited,
)
from wharfage.domain.order import OrderKind
from wharfage.domain.spec import Submission
from wharfage.domain.trade import TradeStatus
from wharfage.operations import jobs, orders

#: By name: units, and fen.
PRICES = {"small": (20, 60), "large": (70, 40)}
TEMPLATES = [
    msgspec.structs.replace(UPSCALE, name=name, units=units, price_fen=fen)
    for name, (units, fen) in PRICES.items()
]
MONTH = orders.OpenOrder(kind=OrderKind.MEMBERSHIP, plan="basic")


class UnitMoney:
    """The moves of memberships and of the jobs that their units pay for."""

    scene: Scene
    books: Books
    people: list[Principal]
    work: dict[str, Work]

    def __init__(self) -> None:
        super().__init__()
        self.template_keys: dict[tuple[str, str], tuple[str, str]] = {}

    @rule(
        who=PICKS, spell=SPELLS,
        trades=st.lists(st.sampled_from(["own", "own", "other", "stolen"]), max_size=3),
    )  # fmt: skip
    def buy_a_month(self, who: int, trades: list[str], spell: Spell) -> None:
        """Open an order of a month, and have it paid as often as it comes."""
        person = self.people[who % 2]
        done = self.scene.weather.during(
            CALM, lambda: orders.open(self.scene.ports, person, MONTH, key=None)
        )
        if isinstance(done.refusal, RateLimited):
            return
        number = done.result.value.id
        self.books.slips[number] = Slip(
            account=person.account, fen=done.result.value.amount_fen, month=True
        )
        for trade in trades:
            self.notify(-1, TradeStatus.SUCCESS, trade, 0, None, spell)  # type: ignore[attr-defined]

    @rule(
        who=PICKS, name=st.sampled_from([*PRICES]), key=st.sampled_from([None, None, "a", "b"]),
        spell=SPELLS,
    )  # fmt: skip
    def submit_template(self, who: int, name: str, key: str | None, spell: Spell) -> None:
        person = self.people[who % 2]
        purse, month = self._purse(person), self._purse(person).month
        units, fen = PRICES[name]
        by_units = month is not None and month.remaining >= units
        made = self.template_keys.get((person.account, key)) if key else None
        asked = Submission(template=name, input={"factor": 2})
        full = f"template-{key}" if key else None
        done = self.scene.weather.during(
            spell, lambda: jobs.submit(self.scene.ports, person, asked, key=full)
        )
        new = [job for job in self._jobs(person) if job.id not in self.work]  # type: ignore[attr-defined]
        if made is not None:
            assert new == [], "R1: one key, two jobs"
            if made[0] != name:
                assert done.unknown or isinstance(done.refusal, KeyReused)
            elif not done.unknown:
                assert done.result.value.id == made[1]
        elif purse.barred:
            assert done.unknown or isinstance(done.refusal, AccountFrozen | AccountSuspended)
            assert new == []
        elif not by_units and purse.available < fen:
            assert done.unknown or isinstance(done.refusal, InsufficientFunds)
            assert new == []
        else:
            assert done.unknown or [job.id for job in new] == [done.result.value.id]
        for job in new:
            fare = (0, units) if by_units else (fen, 0)
            self.work[job.id] = Work(person.account, fare[0], tries=1, cap=None, fare=fare)
            if by_units:
                purse.hold_units(job.id, units)
            else:
                purse.hold(job.id, fen)
            if key:
                self.template_keys[person.account, key] = (name, job.id)

    def _purse(self, who: Principal) -> Purse:
        return self.books.purses[who.account]
