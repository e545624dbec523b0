"""Money adds up to the fen in every story that the model can tell."""

from tests.properties import money_model
from tests.properties.profile import hold


def test_money_is_exact_whatever_happens_in_whatever_order() -> None:
    hold(money_model.MoneyModel, money_model.PROFILE)
