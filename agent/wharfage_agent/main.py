"""The command `wharfage-agent`."""

import argparse
import json
import logging
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wharfage.messages import EnrolRequest
from wharfage_agent import VERSION
from wharfage_agent.cloud import HttpCloud
from wharfage_agent.errors import AgentError, UnusableHost
from wharfage_agent.identity import Identity, State

DEFAULT_STATE = "/var/lib/wharfage-agent"
DEFAULT_ENGINE = "unix:///var/run/docker.sock"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the process's exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _log_as_json(verbose=options.verbose)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except AgentError as error:
        sys.stderr.write(f"wharfage-agent: {error}\n")
        return 1


def enrol(options: argparse.Namespace) -> int:
    """Make this machine a host, with a one-time code from the operator."""
    from wharfage_agent.engine import DockerEngine
    from wharfage_agent.policy import load
    from wharfage_agent.room import capacity

    state = State(options.state_dir)
    if state.enrolled:
        raise UnusableHost(f"{state.directory} belongs to host {state.identity.host} already.")
    policy = load(options.policy)
    machine = DockerEngine(options.engine, host="").machine()
    room = capacity(policy, machine)
    reply = HttpCloud(options.server, token=lambda: None).enrol(
        EnrolRequest(
            code=options.code,
            name=options.name,
            labels=dict(options.label) or None,
            capacity=room,
            architecture=machine.architecture,
            engine_version=machine.version,
            agent_version=VERSION,
        )
    )
    state.keep(
        Identity(
            server=options.server,
            host=reply.host,
            token=reply.token,
            pool=reply.pool,
            labels=reply.labels,
            engine=options.engine,
            policy=str(options.policy.resolve()) if options.policy else None,
        )
    )
    _say(f"This machine is host {reply.host} of pool {reply.pool}. Start `wharfage-agent run`.")
    return 0


def run(options: argparse.Namespace) -> int:
    """Take work and run it, until asked to stop."""
    from wharfage_agent.loops import Leaving
    from wharfage_agent.policy import load
    from wharfage_agent.runtime import assemble, live, open_engine

    state = State(options.state_dir)
    identity = state.identity
    lock = state.lock()
    policy = load(options.policy or (Path(identity.policy) if identity.policy else None))
    engine = open_engine(options.engine or identity.engine, host=identity.host)
    why = live(assemble(state, policy, engine), handover=options.handover)
    logging.getLogger(__name__).info("The agent leaves: %s", why)
    os.close(lock)
    return 1 if why in (Leaving.FENCED, Leaving.REVOKED) else 0


def status(options: argparse.Namespace) -> int:
    """Show which host this is and what it runs."""
    from wharfage_agent.engine import DockerEngine

    identity = State(options.state_dir).identity
    containers = DockerEngine(options.engine or identity.engine, host=identity.host).containers()
    _say(f"host {identity.host}, pool {identity.pool}, server {identity.server}")
    for container in containers:
        _say(f"{container.name}  {container.status}")
    _say(f"{len(containers)} containers")
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Check what a host needs, and say what to do about what is missing."""
    from wharfage_agent.doctor import examine

    findings = examine(State(options.state_dir), engine=options.engine)
    for finding in findings:
        _say(f"{'ok  ' if finding.well else 'BAD '} {finding.text}")
    return 0 if all(finding.well for finding in findings) else 1


def bench(options: argparse.Namespace) -> int:
    """Measure both network recipes on this host's engine."""
    from wharfage_agent.bench import measure

    state = State(options.state_dir)
    address = options.engine or (state.identity.engine if state.enrolled else DEFAULT_ENGINE)
    result = measure(address, options.image, rounds=options.rounds, jobs=options.jobs)
    _say(f"fast: {result.fast_per_second:.2f} jobs/s, classic: {result.classic_per_second:.2f}")
    _say(f"ratio fast/classic: {result.ratio:.2f} (median of {options.rounds} rounds)")
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state-dir",
        type=Path,
        default=Path(os.environ.get("WHARFAGE_AGENT_STATE", DEFAULT_STATE)),
        help="where the agent keeps its token and its journal",
    )
    common.add_argument("--engine", default=None, help="address of the Docker Engine")
    common.add_argument("--verbose", action="store_true", help="log every detail")

    parser = argparse.ArgumentParser(prog="wharfage-agent", description="Run work on this host.")
    parser.add_argument("--version", action="version", version=f"wharfage-agent {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[common], help=command.__doc__)
        made.set_defaults(command=command)
        return made

    enrolling = add("enrol", enrol)
    enrolling.set_defaults(engine=os.environ.get("DOCKER_HOST", DEFAULT_ENGINE))
    enrolling.add_argument("--server", required=True, help="the control plane's address")
    enrolling.add_argument("--code", required=True, help="the operator's one-time code")
    enrolling.add_argument("--name", default=platform.node() or "host", help="what to call it")
    enrolling.add_argument("--label", type=_label, action="append", default=[], metavar="K=V")
    enrolling.add_argument("--policy", type=Path, default=None, help="this host's policy file")

    running = add("run", run)
    running.add_argument("--policy", type=Path, default=None, help="this host's policy file")
    running.add_argument(
        "--handover", action="store_true", help="on SIGTERM leave what runs to the next life"
    )
    add("status", status)
    add("doctor", doctor)
    benching = add("bench", bench)
    benching.add_argument("--image", required=True, help="an image that is here and has `true`")
    benching.add_argument("--rounds", type=int, default=5)
    benching.add_argument("--jobs", type=int, default=20)
    return parser


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not name=value")
    return name, value


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


class _JsonFormatter(logging.Formatter):
    """One JSON object a line, with what was given as `extra`."""

    _usual = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "where": record.name,
            "message": record.getMessage(),
        }
        line.update({k: v for k, v in vars(record).items() if k not in self._usual})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def _log_as_json(*, verbose: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    if verbose:
        logging.getLogger("wharfage_agent").setLevel(logging.DEBUG)


if __name__ == "__main__":
    sys.exit(main())
