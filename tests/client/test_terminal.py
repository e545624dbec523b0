"""What commands show on a terminal, and the calls they print for one."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.conftest import COMMAND, Run
from tests.client.playing import Api, with_jobs

pytestmark = pytest.mark.usefixtures("signed_in")

JOB = "job_" + "1" * 26


def on_terminal(environ: dict[str, str], *arguments: str, **more: str) -> str:
    """Run a command on a terminal; give all that it showed."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environ | {"COLUMNS": "120", "LINES": "60", "TERM": "xterm"} | more,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        close_fds=True,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65_536)
        except OSError:  # The last one on the other side has gone.
            break
        if not part:
            break
        shown += part
    os.close(leader)
    child.wait(20)
    return shown.decode().replace("\r\n", "\n")


def test_on_a_terminal_lists_are_drawn_and_phases_count(api: Api, environ: dict[str, str]):
    with_jobs(api, JOB, image="[red]x")

    listed, ran = on_terminal(environ, "ps"), on_terminal(environ, "run", "busybox")

    assert "─" in listed
    assert "[red]x" in listed
    assert "\r\x1b[K" in ran
    assert "claimed by host alpha" in ran


def test_no_color_means_none(api: Api, environ: dict[str, str]):
    with_jobs(api, JOB)

    shown = on_terminal(environ, "ps", NO_COLOR="1") + on_terminal(
        environ, "topup", "--no-wait", "5", NO_COLOR="1"
    )

    assert "\x1b[" not in shown.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert "█" in shown


def test_on_a_terminal_the_code_to_scan_is_black_on_white(environ: dict[str, str]):
    shown = on_terminal(environ, "topup", "--no-wait", "5")

    assert "\x1b[38;5;16;48;5;231m" in shown
    assert "https://qr.example/ord_" in shown


def test_curl_prints_calls_and_makes_none(api: Api, run: Run, tmp_path: Path):
    secret = tmp_path / "env"
    secret.write_text("KEY=hunter2\n")

    submit = run("run", "--curl", "--env-file", str(secret), "busybox", "echo", "it's $HOME")
    login = run("login", "--curl", "--email", "a@example.com")
    show = run("show", "--curl", JOB)

    assert api.seen == []
    assert "hunter2" not in submit.out.decode()
    assert "Bearer $WHARFAGE_TOKEN" in submit.out.decode()
    assert "'\"$WHARFAGE_PASSWORD\"'" in login.out.decode()
    assert f"{api.url}/v1/jobs/{JOB}" in show.out.decode()


def test_a_printed_call_is_what_the_shell_would_send(api: Api, run: Run, tmp_path: Path):
    secret = tmp_path / "env"
    secret.write_text("KEY=x\n")
    printed = run(
        "run", "--curl", "--env-file", str(secret), "busybox", "echo", "it's $HOME `x`"
    ).out.decode()
    shown = "import json, sys; print(json.dumps(sys.argv[1:]))"

    line = printed.replace("curl", f"{sys.executable} -c '{shown}'", 1)
    variables = {"KEY": "hunter2", "WHARFAGE_TOKEN": "t0ken", "PATH": os.environ["PATH"]}
    words = json.loads(subprocess.check_output(line, shell=True, env=variables))

    assert "Authorization: Bearer t0ken" in words
    assert json.loads(words[words.index("--data") + 1]) == {
        "image": "busybox",
        "command": ["echo", "it's $HOME `x`"],
        "env": {"KEY": "hunter2"},
    }
