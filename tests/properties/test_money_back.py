"""What goes back adds up to the fen and the unit in every story that the model can tell."""

from tests.properties import money_back
from tests.properties.profile import hold


def test_what_goes_back_is_exact_whatever_happens_in_whatever_order() -> None:
    hold(money_back.MoneyBack, money_back.PROFILE)
