"""`wharfage run`: a container run to its end, as if it ran here."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from wharfage_client import failure, quantities
from wharfage_client.errors import LocalError
from wharfage_client.money import fen, price
from wharfage_client.verbs import Cli, Read, Verb, cli_of

_NAMED = Read("NAME=VALUE", quantities.named_value, "NAME=VALUE")
_RESOURCES = {"cpu": "cpu_millis", "memory": "memory_mb", "disk": "disk_mb"}


@click.command(
    cls=Verb,
    failure_exit=failure.OURS,
    context_settings={"allow_interspersed_args": False},
)
@click.option("-f/-d", "--follow/--detach", default=True, help="Follow to the end, or only submit.")
@click.option("-e", "--env", multiple=True, metavar="NAME[=VALUE]", help="Set a variable.")
@click.option("--env-file", metavar="FILE", help="Read variables from a file; - is stdin.")
@click.option("--entrypoint", metavar="PROGRAM", help="Run this instead of the image's own.")
@click.option("--cpu", type=Read("CPUS", quantities.cpu_millis, "an amount of CPU, as 0.5 or 500m"))
@click.option("--memory", type=Read("SIZE", quantities.memory_mb, "a size, as 512m or 2g"))
@click.option("--disk", type=Read("SIZE", quantities.memory_mb, "a size, as 512m or 2g"))
@click.option("--timeout", type=Read("TIME", quantities.seconds, "a time, as 90s, 10m or 1h30m"))
@click.option("--max-cost", type=Read("YUAN", fen, "an amount in yuan, as 5 or 0.50"))
@click.option("--pool", metavar="NAME", help="Run on a host of this pool.")
@click.option("--label", multiple=True, type=_NAMED, help="Run on a host that has this label.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=_NAMED,
    metavar="NAME=FILE",
    help="Upload FILE, and give it as /wharfage/inputs/NAME.",
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="PATH",
    help="Keep this file: a path under /wharfage, whole or from there on.",
)
@click.option("--key", metavar="KEY", help="Idempotency key: the same again is the same job.")
@click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "none"]),
    default="auto",
    help="Phases on stderr: auto tells them on a terminal only.",
)
@click.option(
    "--template", metavar="NAME", help="Run a prepared job; then NAME=VALUE is its input."
)
@click.option("--input", "input_file", metavar="FILE", help="Read the input as JSON; - is stdin.")
@click.argument("image", required=False)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(
    ctx: click.Context, /, *, follow: bool, key: str | None, progress: str, **asked: Any
) -> int:
    """Run IMAGE to its end and give its output and exit code.

    COMMAND is run instead of the image's own; `--` may stand before it. With --template there is
    neither: what follows is the input, as NAME=VALUE.

    Ctrl-C asks to cancel the job and waits for its end; a second one leaves it.
    """
    cli = cli_of(ctx)
    spec = _spec(cli, asked)
    if not follow:
        job = cli.client.jobs.submit(spec, key=key)
        cli.console.emit(job) if cli.flags.as_json else cli.console.say(job["id"])
        return 0
    return _followed(cli, spec, key, progress)


def _followed(cli: Cli, spec: dict[str, Any], key: str | None, wanted: str) -> int:
    from wharfage_client.follow import Follower, exit_code, verdict
    from wharfage_client.interrupts import Interrupts
    from wharfage_client.progress import Progress

    console, words = cli.console, cli.words
    live = console.live and wanted == "auto"
    told = (live or wanted == "plain") and not cli.flags.as_json
    shown = Progress(console, told=told, live=live)
    jobs = cli.client.jobs
    with Interrupts() as interrupts:
        job = jobs.submit(spec, key=key)
        follower = Follower(jobs=jobs, console=console, progress=shown, interrupts=interrupts)
        if cli.flags.as_json:
            console.emit({"type": "job", "job": job})
        elif told:
            console.note(
                words("phase.held", id=job["id"], hold=price(job["hold_fen"], job["hold_units"]))
            )
        try:
            job = follower.follow(job)
        except KeyboardInterrupt:
            console.note(words("run.left", id=job["id"]))
            return failure.CANCELLED
        finally:
            shown.rest()
    if cli.flags.as_json:
        console.emit({"type": "end", "job": job, "exit_code": exit_code(job)})
    elif (said := verdict(job, words)) is not None:
        console.fail(failure.explain(said, cli.flags.command, words))
    return exit_code(job)


def _spec(cli: Cli, asked: dict[str, Any]) -> dict[str, Any]:
    """Write the job as the API wants it; what was not asked for is left to the API's defaults.

    Raises: LocalError, click.UsageError.
    """
    value = _input(asked["input_file"])
    command = list(asked["command"])
    if asked["template"]:
        pairs = [asked["image"], *command] if asked["image"] else []
        value = (value or {}) | dict(_pair(each) for each in pairs)
        command = []
    elif not asked["image"]:
        raise click.UsageError("Missing argument 'IMAGE'.")
    if command[:1] == ["--"]:
        command = command[1:]
    resources = {field: asked[name] for name, field in _RESOURCES.items() if asked[name]}
    entrypoint = asked["entrypoint"]
    wanted: dict[str, Any] = {
        "command": command or None,
        "entrypoint": [entrypoint] if entrypoint else None,
        "env": _env(cli, asked["env"], asked["env_file"]),
        "resources": resources,
        "max_run_s": asked["timeout"],
        "max_cost_fen": asked["max_cost"],
        "pool": asked["pool"],
        "labels": dict(asked["label"]),
        "outputs": [_output(path) for path in asked["outputs"]],
        "files": _files(cli, asked["files"]),
    }
    what = {"template": asked["template"]} if asked["template"] else {"image": asked["image"]}
    given = {} if value is None else {"input": value}
    return what | {name: each for name, each in wanted.items() if each} | given


def _files(cli: Cli, given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Upload what the job is to use. Raises: LocalError, WharfageError."""
    if not given:
        return {}
    from wharfage_client.files import send

    return {name: send(cli.client, Path(file))["id"] for name, file in given}


def _output(path: str) -> str:
    return path if path.startswith("/") else f"/wharfage/{path}"


def _input(file: str | None) -> dict[str, Any] | None:
    """Read a job's input. Raises: LocalError, click.UsageError."""
    if file is None:
        return None
    text = _text(file, "--input")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise click.UsageError(f"--input {file}: this is not a JSON object.")
    return value


def _pair(text: str) -> tuple[str, Any]:
    """Read `NAME=VALUE`; a value that is JSON is what it says, any other is a text."""
    try:
        name, value = quantities.named_value(text)
    except ValueError:
        raise click.UsageError(f"{text}: an input is NAME=VALUE.") from None
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _env(cli: Cli, given: tuple[str, ...], file: str | None) -> dict[str, str]:
    """Read the variables. A name alone takes its value from here, as secrets should."""
    found: dict[str, str] = {}
    if file is not None:
        found = {name: _secret(cli, name, value) for name, value in _lines(file)}
    for each in given:
        name, sign, value = each.partition("=")
        if sign:
            found[name] = value
        elif name in os.environ:
            found[name] = _secret(cli, name, os.environ[name])
        else:
            raise click.UsageError(f"--env {name}: there is no such variable here.")
    return found


def _secret(cli: Cli, name: str, value: str) -> str:
    if not cli.flags.curl:
        return value
    from wharfage_client.curl import hidden

    cli.hidden.add(name)
    return hidden(name)


def _text(file: str, option: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LocalError("usage", reason=f"{option} {file}: {error}") from error


def _lines(file: str) -> list[tuple[str, str]]:
    text = _text(file, "--env-file")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        return [quantities.named_value(line) for line in lines]
    except ValueError:
        # The line itself may be a secret.
        raise click.UsageError(f"--env-file {file}: a line is not NAME=VALUE.") from None
