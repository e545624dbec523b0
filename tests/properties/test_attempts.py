"""Attempts follow their table in every story that the model can tell."""

from tests.properties import attempts_model
from tests.properties.profile import hold


def test_every_attempt_follows_the_table_whatever_happens_in_whatever_order() -> None:
    hold(attempts_model.AttemptsModel, attempts_model.PROFILE)
