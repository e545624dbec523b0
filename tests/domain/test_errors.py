"""Every reason to refuse: its code, its facts, and its place in the tree that is drawn."""

import re
from collections.abc import Iterator

import pytest

from wharfage.domain import errors
from wharfage.domain.errors import (
    Fault,
    InsufficientFunds,
    Invalid,
    NotFound,
    Refused,
    StateConflict,
    fault,
)


def tree(root: type[Refused] = Refused, depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, root.__name__
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child, depth + 1)


CLASSES = [getattr(errors, name) for _, name in tree()]


def test_the_tree_is_drawn_as_it_is() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"^((?:│   |    )*(?:├── |└── )?)([A-Z]\w+)(?:  |$)", errors.__doc__, re.M)

    assert [(len(indent) // 4, name) for indent, name in drawn] == list(tree())


def test_every_refusal_has_a_code_of_its_own() -> None:
    codes = [each.code for each in CLASSES]

    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


@pytest.mark.parametrize("refusal", CLASSES)
def test_every_refusal_says_in_a_sentence_what_it_is(refusal: type[Refused]) -> None:
    assert refusal.__doc__ is not None
    assert refusal.__doc__.endswith(".")


def test_facts_are_what_the_caller_needs_by_name() -> None:
    refusal = InsufficientFunds(required_fen=100, available_fen=3)

    assert refusal.facts == {"required_fen": 100, "available_fen": 3}
    assert str(refusal) == "insufficient_funds {'required_fen': 100, 'available_fen': 3}"


def test_what_is_not_known_is_not_among_the_facts() -> None:
    assert StateConflict().facts == {}
    assert str(StateConflict()) == "state_conflict"
    assert StateConflict(state="paid").facts == {"state": "paid"}


def test_two_refusals_are_never_the_same_one() -> None:
    assert NotFound(what="job") != NotFound(what="job")


def test_one_wrong_place_makes_one_fault() -> None:
    refusal = fault("/image", "image_reference", "No.")

    assert isinstance(refusal, Invalid)
    assert refusal.faults == (Fault(pointer="/image", code="image_reference", message="No."),)
