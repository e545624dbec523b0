"""Benchmarks run, and say what they are for: at their smallest, so that no time is asserted."""

import json
import subprocess
import sys
from pathlib import Path

from infrastructure.local.process import environment
from infrastructure.setup.layout import ROOT

SECONDS_MAX = 240


def run(module: str, *options: str, **environ: str) -> str:
    done = subprocess.run(
        (sys.executable, "-m", f"benchmarks.{module}", *options),
        cwd=ROOT,
        env=environment(**environ),
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_store_is_measured_against_sqlite_by_hand(tmp_path: Path) -> None:
    shown = run(
        "store",
        *("--rounds", "1", "--seconds", "0.1", "--threads", "1", "--folder", str(tmp_path)),
    )

    assert "store" in shown
    assert "sqlite3" in shown
    assert "ratio" in shown


def test_jobs_are_measured_against_the_engine_alone(engine_url: str, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"

    shown = run(
        "jobs",
        *("--rounds", "1", "--jobs", "2", "--json", str(figures)),
        DOCKER_HOST=engine_url,
    )

    found = json.loads(figures.read_text())
    compared = found["engine"].keys()
    assert set(compared) <= set(found["stack"])
    assert all(line in shown for line in found["stack"])
    assert {"ms, submit to running", "ms, exit to its record"} <= set(compared)
    assert all(figure > 0 for line in compared for figure in found["stack"][line])


def test_the_check_of_a_notify_is_measured_against_the_sdks() -> None:
    shown = run("notify", *("--rounds", "1", "--count", "5"))

    assert "sdk" in shown
    assert "parse" in shown
    assert "ratio" in shown


def test_notifies_and_heartbeats_are_measured_under_a_load_of_submits(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"

    shown = run("overload", *("--rounds", "1", "--samples", "5", "--json", str(figures)))

    [found] = json.loads(figures.read_text())
    assert found["submits"]["503"] > 0, "the load was none"
    assert found["rest"].keys() == found["loaded"].keys() == {"notify", "heartbeat"}
    assert "ratio" in shown
