"""Every refusal has a status, both languages, a stable code, and a place in the docs."""

import importlib
import inspect
import pkgutil
import re
import string
import typing
from enum import Enum
from typing import Any

import pytest

import wharfage.domain
import wharfage.operations
from infrastructure.template import CHECKOUT
from tests.fixtures.edge import settings
from wharfage.domain.errors import Refused
from wharfage.web import problems

DOCS = CHECKOUT / "docs" / "errors.md"
STATUSES = {400, 401, 402, 403, 404, 405, 409, 412, 413, 415, 422, 429, 500, 503}


def refusals() -> list[type[Refused]]:
    """Find every refusal that may leave: those with a code of their own."""
    for package in (wharfage.domain, wharfage.operations):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    found: list[type[Refused]] = []
    waiting = [Refused]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls is not Refused and "code" in vars(cls) and cls.__module__.startswith("wharfage."):
            found.append(cls)
    return sorted(found, key=lambda cls: cls.code)


ALL = refusals()


def sample(cls: type[Refused]) -> Refused:
    """Make a refusal with some value for each of its facts."""
    hints = typing.get_type_hints(cls.__init__)
    needed = [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is inspect.Parameter.empty
    ]
    return cls(**{name: value_of(hints[name]) for name in needed})


def value_of(hint: Any) -> object:
    if typing.get_origin(hint) is tuple:
        return ("GET",)
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return next(iter(hint))
    return 7 if hint is int else "text"


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.code)
def test_every_refusal_has_a_row_of_its_own(cls):
    assert cls in problems.TABLE
    assert problems.TABLE[cls].status in STATUSES


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.code)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_refusal_can_be_said_in_both_languages(cls, language):
    row = problems.TABLE[cls]
    advice = row.advice if language == "en" else row.advice_zh
    title = row.title if language == "en" else row.title_zh
    named = {name for _, name, _, _ in string.Formatter().parse(advice) if name}

    body = problems.document(sample(cls), request_id="r", language=language, settings=settings())

    assert named <= set(sample(cls).facts)
    assert title.encode() in body
    assert b"{" not in body.removeprefix(b"{").split(b'"errors"')[0]


def test_codes_are_unique_and_snake_case():
    codes = [cls.code for cls in ALL]

    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_every_row_is_of_a_refusal_that_exists():
    assert set(problems.TABLE) <= set(ALL)


def test_the_docs_list_every_code_with_its_status():
    rows = re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \|", DOCS.read_text(), flags=re.MULTILINE)

    assert sorted((code, int(status)) for code, status in rows) == sorted(
        (cls.code, problems.TABLE[cls].status) for cls in ALL
    )
