"""The examples in the docs, run as they stand."""

import subprocess
import sys
from pathlib import Path

from tests.client.conftest import COMMAND, ROOT
from tests.client.playing import PASSWORD, Api
from tests.client.said import Script
from tests.client.samples import SUCCEEDS

EXAMPLES = ROOT / "docs" / "examples"


def test_the_first_job_from_the_shell(api: Api, environ: dict[str, str], tmp_path: Path):
    api.next_script = Script(steps=SUCCEEDS, log=[("stdout", b"ahoy\n")])
    command = tmp_path / "bin" / "wharfage"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    command.chmod(0o755)
    asked = {"EMAIL": "ann@example.com", "PASSWORD": PASSWORD, "IMAGE": "busybox"}
    path = {"PATH": f"{command.parent}:{environ['PATH']}"}

    done = subprocess.run(
        ["sh", EXAMPLES / "first_job.sh"],
        env=environ | asked | path,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert b"\nahoy\n" in done.stdout
    assert b"CNY 0.03" in done.stdout


def test_the_first_job_from_python(api: Api, environ: dict[str, str]):
    api.next_script = Script(steps=SUCCEEDS, log=[("stdout", b"ahoy\n")])
    asked = {"WHARFAGE_TOKEN": api.sign_in().access, "IMAGE": "busybox"}

    done = subprocess.run(
        [sys.executable, EXAMPLES / "first_job.py"],
        env=environ | asked,
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, b"ahoy\n"), done.stderr
