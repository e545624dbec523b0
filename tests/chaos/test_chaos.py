"""A short run of the chaos program, as CI makes it: every promise holds."""

import json
import re
import subprocess
import sys

import pytest

from infrastructure.setup.layout import ROOT

pytestmark = pytest.mark.slow

SEED = 3


def test_every_promise_holds_through_a_minute_of_faults(tmp_path):
    program = (sys.executable, "-m", "tests.chaos", "--minutes", "1", "--jobs", "50")

    done = subprocess.run(
        (*program, "--seed", str(SEED), "--to", str(tmp_path)),
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=900,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / str(SEED) / "verdict.json").read_text())
    assert all(judged["holds"] for judged in verdict["invariants"].values())
    assert verdict["counts"]["jobs"] >= 50
    assert sum(verdict["faults"]["carried_out"].values()) >= 15
    page = (tmp_path / str(SEED) / "timeline.html").read_text()
    assert page.count("<rect") > verdict["counts"]["attempts"]
    assert re.findall(r"(?:src|href)=|url\(|@import|<script|<link", page) == []
