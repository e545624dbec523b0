"""What a function imports before its first request: every millisecond of it is a customer's."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
#: 577 ms, 178 ms, 182 ms, and a third of a second for each of those that make clients.
HEAVY = {
    "alipay",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.parser",
    "aws_xray_sdk",  # A Tracer brings it, even one that is off; the class alone does not.
    "boto3",
    "botocore.session",
    "pydantic",
    "pynamodb",
    "sqlite3",
}


def imported(function: str) -> set[str]:
    program = f"import sys, functions.{function}.app; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT, text=True
    )
    return set(ran.stdout.split())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_heavy_is_imported_before_it_is_needed(function: str):
    assert imported(function) & HEAVY == set()


def test_what_is_heavy_is_seen_where_it_is_imported():
    program = "import alipay, boto3, pydantic, pynamodb, sqlite3, sys; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT, text=True
    )
    seen = HEAVY & set(ran.stdout.split())

    assert seen == {"alipay", "boto3", "botocore.session", "pydantic", "pynamodb", "sqlite3"}
