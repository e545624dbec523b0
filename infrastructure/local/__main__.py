"""The commands of the local stack: `python -m infrastructure.local COMMAND`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from infrastructure.local import channels, demo, engine
from infrastructure.local.engine import EngineMissing, EngineUnusable
from infrastructure.local.keys import KeyExposed
from infrastructure.local.paths import Paths, UnsafeFolder
from infrastructure.local.ports import NoFreePort
from infrastructure.local.process import ChildFailed
from infrastructure.local.saved import Saved, backup
from infrastructure.local.stack import Choice, Stack
from infrastructure.local.supervisor import AlreadyRunning, Supervisor, running, take_down
from wharfage.adapters.secrets import parameter

#: What a user can mend; the text says how.
_MENDABLE = (
    AlreadyRunning,
    ChildFailed,
    EngineMissing,
    EngineUnusable,
    FileExistsError,
    FileNotFoundError,
    KeyExposed,
    NoFreePort,
    UnsafeFolder,
    demo.StoryBroken,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code of the process."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if getattr(asked, "store", "") == "dynamodb" and not asked.endpoint:
        parser.error("--store dynamodb needs --endpoint, the address of a DynamoDB")
    command: Callable[[argparse.Namespace], int] = asked.command
    try:
        return command(asked)
    except _MENDABLE as error:
        sys.stderr.write(f"wharfage: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nwharfage: broken off; run it again to go on\n")
        return 130


def up(asked: argparse.Namespace) -> int:
    """Run the stack in the foreground, until Ctrl-C or `down`"""
    stack = Stack(Paths.of(os.environ), Choice(store=asked.store, endpoint=asked.endpoint), _say)
    supervisor = Supervisor(stack.commands(), paths=stack.paths, say=_say)

    def once_up() -> None:
        _say(_welcome(stack))
        stack.up_mark.touch()

    try:
        supervisor.run(once_up=once_up)
    finally:
        stack.up_mark.unlink(missing_ok=True)
    return 0


def down(asked: argparse.Namespace) -> int:
    """Stop the stack and all that belongs to it"""
    stack = Stack(Paths.of(os.environ), Choice(), _say)
    own = [stack.engine_command] if stack.engine_command else []
    if take_down(own, paths=stack.paths, say=_say):
        _say("The stack is down. Its data is kept; `./dev up` finds it again.")
    else:
        _say("The stack was not up.")
    if asked.forget:
        engine.remove(stack.paths)
    return 0


def status(_asked: argparse.Namespace) -> int:
    """Say whether the stack is up, and where; exit code 3 when it is down"""
    stack = Stack(Paths.of(os.environ), Choice(), _say)
    pid = running(stack.paths)
    _say(f"up at {stack.url} (process {pid})" if pid else "down")
    return 0 if pid else 3


def tell(asked: argparse.Namespace) -> int:
    """Start the stack in the background if need be, and tell the main story on it"""
    if asked.stop:
        return main(["down"])
    choice = Choice(store=asked.store, endpoint=asked.endpoint)
    demo.tell(Stack(Paths.of(os.environ), choice, _say), say=_say)
    return 0


def save(asked: argparse.Namespace) -> int:
    """Copy the money file and the keys, consistently, also while the stack works"""
    paths = Paths.of(os.environ)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    saved: Saved = backup(paths, asked.to or paths.home / "backups" / stamp)
    _say(f"Saved {saved.items} items ({saved.bytes} bytes) and the keys to {saved.folder}.")
    _say(f"To go back: ./dev down, then docs/examples/restore.sh {saved.folder}")
    return 0


def examine(_asked: argparse.Namespace) -> int:
    """Say which payment channels are on, by which keys, and what is wrong with them

    Looks at the settings of this environment if it has a STAGE, else at those of the local stack.
    """
    if "STAGE" in os.environ:
        found = channels.examined(os.environ, parameter)
    else:
        paths = Paths.of(os.environ)
        if not paths.keys.exists():
            _say("The local stack was not up yet; it makes its keys when it is.")
            return 0
        stack = Stack(paths, Choice(), _say)
        found = channels.examined(stack.gateway_environ, resolve=str)
    _say(channels.shown(found))
    return 1 if any(each.problems for each in found) else 0


def _welcome(stack: Stack) -> str:
    lines = [
        "",
        f"  Wharfage is up at     {stack.url}",
        f"  Alipay sandbox at     {stack.sandboxes.alipay_url}",
        f"  WeChat Pay, cards at  {stack.sandboxes.wechat_url}, {stack.sandboxes.stripe_url}",
        f"  Images to run         wharfage/demo:latest, {stack.registry_image}",
    ]
    if stack.operator_code.exists():
        lines.append(f"  First operator's code {stack.operator_code.read_text().strip()}")
    return "\n".join([*lines, "", "  Ctrl-C or `./dev down` stops it; the data stays.", ""])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wharfage-local", description="The product, here.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[..., int]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        made.set_defaults(command=command)
        return made

    for started in (add("up", up), add("demo", tell)):
        started.add_argument("--store", choices=["embedded", "dynamodb"], default="embedded")
        started.add_argument("--endpoint", help="address of the DynamoDB")
        if started.prog.endswith("demo"):
            started.add_argument("--stop", action="store_true", help="take the stack down again")
    add("down", down).add_argument(
        "--forget", action="store_true", help="also remove the engine's data and the sockets"
    )
    add("status", status)
    add("channels", examine)
    add("backup", save).add_argument("--to", type=Path, help="a folder that does not exist yet")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
