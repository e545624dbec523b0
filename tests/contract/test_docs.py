"""The documents say what is true: links, commands, routes, words and figures, held to the code."""

import re
import shlex
import subprocess
import unicodedata
import xml.etree.ElementTree as ElementTree
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest

from infrastructure.setup.layout import ROOT
from infrastructure.setup.machine import NEEDS
from infrastructure.template import functions
from tests.fixtures.documents import (
    DOCS,
    EXAMPLES,
    FENCE,
    PAGES,
    broken_links,
    command_lines,
    names,
    rows,
    section,
    wrong_commands,
)
from wharfage import wiring
from wharfage.domain.attempt import AttemptState, ReasonClass, ReasonCode, StopReason
from wharfage.domain.balance import EntryCode, HoldState
from wharfage.domain.dispute import DisputeState
from wharfage.domain.host import HostStatus
from wharfage.domain.invoice import InvoiceState, RedNoteState
from wharfage.domain.job import attempt_cost_fen
from wharfage.domain.order import OrderStanding
from wharfage.domain.placement import WaitingFor
from wharfage.domain.reconciliation import BreakState
from wharfage.domain.refund import RefundState
from wharfage.domain.risk import ReviewState
from wharfage.domain.spec import JobSpec, Submission
from wharfage.domain.usage import Standing
from wharfage.web.auth import Scheme
from wharfage_agent.policy import Policy

DECISION_LINES_MAX = 32


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page, page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_exists_and_takes_what_it_is_given(page: Path) -> None:
    assert wrong_commands(page.read_text()) == []


def test_the_documents_show_commands_of_every_program() -> None:
    shown = {line[0] for page in PAGES for line in command_lines(page.read_text())}

    assert shown == {"./dev", "wharfage", "wharfage-agent"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[x](no-such-page.md)", "no-such-page.md"),
        ("[x](guide.md#no-such-heading)", "guide.md#no-such-heading"),
        ("[x](#nowhere)", "#nowhere"),
        ("see http://mirror.internal/simple", "mirror.internal"),
    ],
)
def test_a_broken_link_is_seen(text: str, complaint: str) -> None:
    assert broken_links(DOCS / "index.md", text) == [complaint]


@pytest.mark.parametrize(
    "line",
    [
        "./dev fly",
        "./dev backup --nowhere",
        "wharfage fly",
        "wharfage run --no-such-option busybox",
        "wharfage hosts fly hst_1",
        "wharfage topup ten",
        "wharfage-agent fly",
        "wharfage-agent run --fly",
    ],
)
def test_a_command_that_does_not_exist_is_seen(line: str) -> None:
    assert len(wrong_commands(f"Type `{line}`.")) == 1
    assert len(wrong_commands(f"```sh\n{line}\n```\n")) == 1


def test_the_readme_opens_with_the_two_commands_and_fits_a_screen() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text()

        first = [
            shlex.split(line, comments=True) for line in FENCE.findall(text)[0][1].splitlines()
        ]

        assert first == [["./dev", "demo"], ["./dev", "test"]]
        assert text.index("```sh") < 40
        assert len(text.splitlines()) <= 60


def test_both_readmes_show_the_same_commands_and_the_same_links() -> None:
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))

    def links(text: str) -> set[str]:
        return set(re.findall(r"\]\(([^)]+)\)", text)) - {"README.md", "README.zh-CN.md"}

    def commands(text: str) -> list[list[str]]:
        return [
            shlex.split(line, comments=True)
            for _, block in FENCE.findall(text)
            for line in block.splitlines()
        ]

    assert commands(english) == commands(chinese)
    assert links(english) <= links(chinese)
    assert len(re.findall(r"^\|", english, re.MULTILINE)) == len(
        re.findall(r"^\|", chinese, re.MULTILINE)
    )


def test_the_readme_names_every_package_that_may_be_installed() -> None:
    wanted = {
        package for need in NEEDS if need.commands & {"demo", "test"} for package in need.packages
    }

    for name in ("README.md", "README.zh-CN.md"):
        row = next(line for line in (ROOT / name).read_text().splitlines() if "docker.io" in line)
        assert wanted <= set(names(row))


def test_the_routes_of_the_api_page_are_those_of_the_code() -> None:
    who = {Scheme.NONE: "anyone", Scheme.HOST: "host"}
    served = [function for function in functions() if function.routes]
    expected = {
        (
            function.module.split(".")[1],
            route.method,
            route.path,
            who.get(route.auth.scheme, "operator" if route.auth.role else "account"),
            "required" if route.idempotent else "",
        )
        for function in served
        for route in function.load().table.values()
    }

    table = rows((DOCS / "api.md").read_text(), "function")

    assert len(table) == len(expected)
    assert {(*(cell.strip("`") for cell in row[:4]), row[4]) for row in table} == expected
    assert all(row[5] for row in table)


@pytest.mark.parametrize(
    ("title", "head", "members"),
    [
        ("States of an attempt", "state", AttemptState),
        ("What a job waits for", "`waiting_for`", WaitingFor),
        ("Why it ended", "`reason_code`", ReasonCode),
        ("Why it ended", "`reason_class`", ReasonClass),
        ("Why it is being stopped", "`stop_reason`", StopReason),
        ("States of hosts", "state", HostStatus),
    ],
)
def test_the_glossary_has_every_state_in_both_languages(
    title: str, head: str, members: type[StrEnum]
) -> None:
    table = rows(section("glossary.md", title), head)

    assert [names(row[0])[0] for row in table] == [member.value for member in members]
    assert all(chinese(row[1]) and row[2] for row in table)


def test_the_glossary_has_every_state_of_money_in_both_languages() -> None:
    table = rows(section("glossary.md", "States of money"), "what")
    expected = {
        "hold": HoldState, "order": OrderStanding, "refund": RefundState, "review": ReviewState,
        "dispute": DisputeState, "break": BreakState, "account": Standing,
        "invoice": InvoiceState, "red note": RedNoteState,
    }  # fmt: skip

    assert [(row[0], names(row[1])[0]) for row in table] == [
        (what, member.value) for what, members in expected.items() for member in members
    ]
    assert all(chinese(row[2]) and row[3] for row in table)


def test_every_word_of_the_glossary_has_chinese_and_a_meaning_and_stands_once() -> None:
    words = [
        row
        for title in ("Work", "Hosts", "Money", "Accounts")
        for row in rows(section("glossary.md", title), "word")
    ]

    assert all(chinese(row[1]) and row[2] for row in words)
    assert len({row[0] for row in words}) == len(words)
    assert {member.value for member in EntryCode} <= {row[0] for row in words}


def chinese(text: str) -> bool:
    return any(unicodedata.name(letter, "").startswith("CJK UNIFIED") for letter in text)


def test_the_guide_lists_every_field_of_a_job() -> None:
    table = rows(section("guide.md", "Run a job"), "field")

    listed = {name for row in table for name in names(row[0])}

    assert listed == set(Submission.__struct_fields__)


def test_the_guide_lists_every_exit_and_status_of_a_job() -> None:
    table = rows(section("guide.md", "Run a job"), "`status`")
    hidden = {"claimed", "preparing", "lost", "rejected"}

    listed = {name for row in table for name in names(row[0])}

    assert listed == {state.value for state in AttemptState} - hidden


def test_the_guide_prices_its_example_as_the_code_does() -> None:
    text = section("guide.md", "Cost")
    prices, spec = wiring.prices(), JobSpec(image="busybox")
    hold, cost = attempt_cost_fen(spec, prices), prices.cost_fen(spec.resources, 10)

    assert f"({prices.vcpu_hour_fen} fen a vCPU-hour, {prices.gb_hour_fen} fen a GB-hour)" in text
    assert f"holds {hold} fen" in text
    assert f"ran 10 seconds it costs {cost} fen and gets {hold - cost} back" in text


def test_the_agent_page_lists_every_key_of_the_policy_file() -> None:
    table = rows(section("agent.md", "The policy file"), "key")

    listed = [name for row in table for name in names(row[0])]

    assert sorted(listed) == sorted(field.name for field in msgspec.structs.fields(Policy))


def test_the_map_of_the_documents_leads_to_each_of_them() -> None:
    index = DOCS / "index.md"
    linked = {DOCS.joinpath(target) for target in re.findall(r"\]\(([^)]+)\)", index.read_text())}
    decisions = {path for path in PAGES if path.parent == DOCS / "decisions"}

    pages = {path for path in PAGES if path.is_relative_to(DOCS)} - decisions - {index}
    assert pages | set(EXAMPLES) | {DOCS / "openapi.json"} <= linked


def test_every_decision_is_listed_numbered_short_and_whole() -> None:
    files = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    listed = re.findall(
        r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (DOCS / "decisions" / "README.md").read_text()
    )

    assert listed == [file.name for file in files]
    numbers = [int(file.name[:4]) for file in files]
    assert numbers == sorted(set(numbers))
    for file in files:
        text = file.read_text()
        assert text.startswith(f"# {int(file.name[:4])}. "), file.name
        parts = ("**Context.**", "**Decision.**", "**What else was possible.**", "**Door.**")
        places = [text.find(part) for part in parts]
        assert min(places) > 0, file.name
        assert places == sorted(places), file.name
        assert len(text.splitlines()) <= DECISION_LINES_MAX, file.name


def test_the_changelog_begins_with_what_is_not_released_yet() -> None:
    titles = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert titles[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", title) for title in titles[1:])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_can_be_parsed_and_is_run_by_a_test(example: Path) -> None:
    tests = (ROOT / "tests").rglob("test_examples.py")

    assert any(f'"{example.name}"' in test.read_text() for test in tests)
    if example.suffix == ".py":
        compile(example.read_text(), example.name, "exec")
        return
    assert example.suffix == ".sh"
    checked = subprocess.run(("sh", "-n", str(example)), capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_every_picture_is_whole_named_and_needs_nothing_from_elsewhere() -> None:
    pictures = sorted((DOCS / "images").glob("*.svg"))

    assert pictures
    for picture in pictures:
        text = picture.read_text()
        root = ElementTree.fromstring(text)
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
        assert "prefers-color-scheme: dark" in text
        assert not re.search(r"(?:href|src)=|@import|<script|url\((?!#)", text)
