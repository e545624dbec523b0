"""The model of money: its story is told by orders and by jobs, and every move is checked."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.fixtures.money import ALICE, BOB, OPERATOR
from tests.properties.books import Books, Purse
from tests.properties.job_money import JobMoney
from tests.properties.order_money import OrderMoney
from tests.properties.profile import stories
from tests.properties.scene import Scene
from tests.properties.unit_money import TEMPLATES, UnitMoney
from tests.properties.weather import CALM, SPELLS, Spell
from wharfage.operations import sweep, templates

PROFILE = stories(examples=220, steps=30)


class MoneyModel(OrderMoney, JobMoney, UnitMoney, RuleBasedStateMachine):
    """Two accounts, their orders, months and jobs. Refunds will be a fourth parent class."""

    def __init__(self) -> None:
        super().__init__()
        self.people = [ALICE, BOB]
        self.scene = Scene(self.people)
        self.books = Books({who.account: Purse() for who in self.people})
        self.host = self.scene.world.host()
        for body in TEMPLATES:
            templates.define(self.scene.ports, OPERATOR, body)
        for who in self.people:
            self.scene.give(who, 150)
            self.books.purses[who.account].move("adjustment#start", 150)

    @rule(seconds=st.sampled_from([0, 1, 31, 130, 961, 3600, -40]), spell=SPELLS)
    def sweep(self, seconds: int, spell: Spell) -> None:
        """Let time pass, or step back; then everything that is due is looked at."""
        self.scene.clock.pass_(seconds=seconds)
        due = self.due_orders()
        done = self.scene.weather.during(spell, lambda: sweep.sweep(self.scene.ports))
        if spell == CALM:
            assert done.refusal is None
            assert done.result.failed == 0
        self.book_answers(due, sure=spell == CALM)
        self.book_control_ends()

    @invariant()
    def the_books_and_the_store_agree(self) -> None:
        """Compare exact numbers, then what the rows say of each other."""
        self.books.compare(self.scene.store)
        self.scene.check()
