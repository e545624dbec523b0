"""The commands of `./dev`: what each needs, what it says, what it runs."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

from infrastructure.setup import checks, environments, machine, uv, vendor
from infrastructure.setup.console import Stop, say, say_table, timed, typed
from infrastructure.setup.environments import EMULATORS, MAIN, SAM, Environment
from infrastructure.setup.index import uv_trust
from infrastructure.setup.layout import REQUIREMENTS, ROOT, VAR, VENV, child_environment, shown

#: The environments that a command works in.
ENVIRONMENTS: dict[str, tuple[Environment, ...]] = {
    "demo": (MAIN, EMULATORS),
    "up": (MAIN, EMULATORS),
    "test": (MAIN, EMULATORS, SAM),
    "chaos": (MAIN, EMULATORS),
    "check": (MAIN,),
    "lint": (MAIN,),
    "format": (MAIN,),
    "sam": (MAIN, SAM),
}


def demo(arguments: Sequence[str]) -> int:
    """Set up, start the local stack, tell the main story on it, leave it up"""
    prepare("demo")
    return stack("demo", arguments)


def up(arguments: Sequence[str]) -> int:
    """Set up and start the local stack, without the story"""
    prepare("up")
    return stack("up", arguments)


def down(arguments: Sequence[str]) -> int:
    """Stop the local stack and all that belongs to it"""
    if not MAIN.python.exists():
        say("Nothing is set up in this checkout, so nothing of it runs.")
        return 0
    return stack("down", arguments)


def backup(arguments: Sequence[str]) -> int:
    """Copy the money file, consistently, also while the stack works"""
    if not MAIN.python.exists():
        raise Stop("Nothing is set up in this checkout, so there is nothing to copy.")
    return stack("backup", arguments)


def test(arguments: Sequence[str]) -> int:
    """Set up and pass every check and test; `./dev test -- ARGS` hands ARGS to pytest alone"""
    chosen = _after_dashes(arguments, command="test")
    prepare("test")
    if chosen:
        return _code(checks.run(checks.chosen(chosen)))
    stages = [*checks.lint(), *checks.tests(), *checks.sam(), *checks.live()]
    return _code(checks.run(stages))


def check(arguments: Sequence[str]) -> int:
    """The quick part of test: format, lint, types, import rules, tests that need no engine"""
    _nothing_more(arguments, command="check")
    prepare("check")
    return _code(checks.run([*checks.lint(), *checks.tests()]))


def lint(arguments: Sequence[str]) -> int:
    """format, lint, types and import rules only"""
    _nothing_more(arguments, command="lint")
    prepare("lint")
    return _code(checks.run(checks.lint()))


def form(arguments: Sequence[str]) -> int:
    """Rewrite the sources into the one format, and fix what ruff can fix safely"""
    _nothing_more(arguments, command="format")
    prepare("format")
    fixed = subprocess.run(checks.tool("ruff", "check", "--fix", "."), check=False, cwd=ROOT)
    formatted = subprocess.run(checks.tool("ruff", "format", "."), check=False, cwd=ROOT)
    return fixed.returncode or formatted.returncode


def chaos(arguments: Sequence[str]) -> int:
    """Ten minutes of faults on real parts; the verdict and a timeline go to var/chaos"""
    prepare("chaos")
    program = [str(MAIN.python), "-m", "tests.chaos", *arguments]
    return subprocess.run(program, check=False, cwd=ROOT, env=child_environment()).returncode


def sam(arguments: Sequence[str]) -> int:
    """Validate and build the AWS template, with no account"""
    _nothing_more(arguments, command="sam")
    prepare("sam")
    return _code(checks.run(checks.sam()))


def doctor(arguments: Sequence[str]) -> int:
    """Say what is here, what is missing and how to get it; how payment channels are set up"""
    _nothing_more(arguments, command="doctor")
    rows = [("what", "state", "needed by", "it is there because")]
    absent = [need for need in machine.NEEDS if not need.present()]
    for need in machine.NEEDS:
        state = "missing" if need in absent else "here"
        commands = "all" if need.commands == machine.EVERY else ", ".join(sorted(need.commands))
        rows.append((need.name, state, commands, need.why))
    for environment in (MAIN, EMULATORS, SAM):
        state = "here" if environment.ready() else "will be made"
        users = sorted(name for name, used in ENVIRONMENTS.items() if environment in used)
        named = "all" if environment is MAIN else ", ".join(users)
        rows.append((shown(environment.path), state, named, "Python packages, by hash"))
    say(f"Python {sys.version.split()[0]} at {sys.executable}")
    say_table(rows)
    channels = _channels()
    if not absent:
        say("Nothing is missing.")
        return channels
    if machine.installable():
        say("What is missing is installed by the command that needs it, with apt-get.")
        return channels
    say(f"To get what is missing:\n{machine.instructions(absent)}")
    return channels or _code(not any("demo" in need.commands for need in absent))


def _channels() -> int:
    """Have the product say how its payment channels are set up; its exit code."""
    if not MAIN.ready():
        say("Payment channels are looked at once there is an environment: ./dev up makes it.")
        return 0
    program = [str(MAIN.python), "-m", "infrastructure.local", "channels"]
    return subprocess.run(program, check=False, cwd=ROOT, env=child_environment()).returncode


def clean(arguments: Sequence[str]) -> int:
    """Stop the stack and remove all that ./dev made here, data included"""
    parser = argparse.ArgumentParser(prog="./dev clean", description=clean.__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    sure = parser.parse_args(arguments).yes
    made = [path for path in (VENV, VAR, ROOT / ".aws-sam") if path.exists()]
    if not made:
        say("There is nothing to remove.")
        return 0
    say(f"This removes {', '.join(map(shown, made))}: environments, caches, and the local data")
    say("(accounts, money, logs). It cannot be undone; ./dev backup copies the money file.")
    if not sure and not _agreed():
        say("Nothing was removed.")
        return 1
    if MAIN.python.exists() and (VAR / "stack").exists() and stopped() != 0:
        raise Stop("The stack did not stop, so nothing was removed. See ./dev down.")
    try:
        with timed("Removing"):
            for path in made:
                shutil.rmtree(path)
            for path in list(ROOT.rglob("__pycache__")):
                shutil.rmtree(path)
    except OSError as error:
        raise Stop(f"Not all could be removed: {error}") from error
    return 0


def lock(arguments: Sequence[str]) -> int:
    """Resolve the dependencies anew, as pyproject.toml and requirements/*.in allow"""
    _nothing_more(arguments, command="lock")
    prepare("lock")
    program = str(uv.found() or uv.fetch())
    export = ["export", "--quiet", "--frozen", "--no-header", "--no-emit-project"]
    # The locks are for every machine: what pip is configured for on this one stays out of them.
    steps = [
        ["lock"],
        [*export, "--all-extras", "--all-groups", "--output-file", "requirements.lock"],
        [*export, "--only-group", "build", "--output-file", "requirements/build.lock"],
    ]
    compiled = ["pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    compiled += ["--generate-hashes", "--no-emit-index-url", "--no-header"]
    for source in sorted(REQUIREMENTS.glob("*.in")):
        target = str(source.with_suffix(".lock").relative_to(ROOT))
        steps.append([*compiled, str(source.relative_to(ROOT)), "--output-file", target])
    for step in steps:
        say(f"uv {typed(step)}")
        finished = subprocess.run(
            [program, *step],
            check=False,
            cwd=ROOT,
            env=uv_trust(child_environment()),
            stdout=subprocess.DEVNULL,
        )
        if finished.returncode != 0:
            return finished.returncode
    vendor.write_lock()
    return 0


def prepare(command: str) -> None:
    """Make sure that all *command* needs is there; say first what will be done, and how to undo it.

    Raises: Stop, when something is missing and cannot be had from here.
    """
    needs = machine.missing(command)
    unready = [each for each in ENVIRONMENTS.get(command, ()) if not each.ready()]
    if not needs and not unready:
        return
    say(f"./dev {command} sets up what is missing first:")
    for need in needs:
        say(f"  {need.name}, {need.why}: package {' '.join(need.packages)}")
    for each in unready:
        locks = ", ".join(map(shown, each.locks))
        say(f"  {shown(each.path)}, a Python environment from {locks}")
    say(f"Apart from packages, all of it goes into {ROOT}. To undo: ./dev clean")
    if needs:
        machine.install(needs)
    for each in unready:
        environments.make(each)
    say()


def stack(command: str, arguments: Sequence[str]) -> int:
    """Become the local stack's own command: signals and exit code are then its."""
    os.chdir(ROOT)
    program = [str(MAIN.python), "-m", "infrastructure.local", command, *arguments]
    os.execve(program[0], program, child_environment())  # It does not come back.


def stopped() -> int:
    """Stop the stack, have it unmount and remove what is not plain files; give its exit code."""
    program = [str(MAIN.python), "-m", "infrastructure.local", "down", "--forget"]
    return subprocess.run(program, check=False, cwd=ROOT, env=child_environment()).returncode


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": demo,
    "up": up,
    "down": down,
    "test": test,
    "check": check,
    "lint": lint,
    "format": form,
    "chaos": chaos,
    "sam": sam,
    "backup": backup,
    "doctor": doctor,
    "lock": lock,
    "clean": clean,
}


def usage() -> str:
    """Say what there is, a line a command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name.ljust(width)}  {call.__doc__}" for name, call in COMMANDS.items()]
    return "\n".join(["usage: ./dev COMMAND [ARGS]", "", *lines])


def main(arguments: Sequence[str]) -> int:
    """Run one command; give its exit code."""
    name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name in {"", "help", "-h", "--help"}:
        say(usage())
        return 0 if name else 2
    if name not in COMMANDS:
        say(f"./dev has no command {name!r}.\n\n{usage()}")
        return 2
    try:
        return COMMANDS[name](rest)
    except Stop as stop:
        print(f"./dev {name}: {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n./dev {name}: interrupted; run it again to go on.", file=sys.stderr)
        return 130


def _after_dashes(arguments: Sequence[str], *, command: str) -> list[str]:
    if arguments and arguments[0] != "--":
        raise Stop(
            f"What is for pytest comes after two dashes: ./dev {command} -- {typed(arguments)}"
        )
    return list(arguments[1:])


def _nothing_more(arguments: Sequence[str], *, command: str) -> None:
    if arguments:
        raise Stop(f"./dev {command} takes no arguments, but was given: {typed(arguments)}")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        say("There is nobody to ask here: say --yes to mean it.")
        return False
    return input("Remove it? [y/N] ").strip().lower() in {"y", "yes"}


def _code(good: bool) -> int:
    return 0 if good else 1
