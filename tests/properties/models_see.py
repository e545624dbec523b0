"""The models are not blind: each removed guard makes its model fail, within what CI runs."""

import logging
from collections.abc import Iterator

import pytest

from tests.properties import attempts_model, money_model, mutations
from tests.properties.mutations import Mutation
from tests.properties.profile import first_failure


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep what a broken product logs out of the way: it is a lot, and expected."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("mutation", mutations.OF_ATTEMPTS, ids=lambda each: each.__name__)
def test_the_model_of_attempts_sees(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)

    failure = first_failure(attempts_model.AttemptsModel, attempts_model.PROFILE)

    assert isinstance(failure, AssertionError), failure  # Not merely broken: seen.


@pytest.mark.parametrize("mutation", mutations.OF_MONEY, ids=lambda each: each.__name__)
def test_the_model_of_money_sees(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)

    failure = first_failure(money_model.MoneyModel, money_model.PROFILE)

    assert isinstance(failure, AssertionError), failure  # Not merely broken: seen.
