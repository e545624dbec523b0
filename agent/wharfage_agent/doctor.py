"""What a host needs, checked one by one."""

import stat
import time
from dataclasses import dataclass
from pathlib import Path

from wharfage_agent.cloud import HttpCloud
from wharfage_agent.engine import DockerEngine
from wharfage_agent.errors import AgentError, CloudRefused
from wharfage_agent.identity import STATE_FILE, State
from wharfage_agent.policy import load

DISK_LOW_MB = 2048
ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    well: bool
    text: str


def examine(state: State, *, engine: str | None) -> list[Finding]:
    """Check state, policy, engine and control plane; a failed check does not end the others."""
    try:
        identity = state.identity
    except AgentError as error:
        return [Finding(False, str(error))]
    return [
        Finding(True, f"enrolled as {identity.host} of pool {identity.pool}"),
        _state(state),
        *_engine(engine or identity.engine, identity.host),
        _cloud(state),
        _policy(identity.policy),
    ]


def _state(state: State) -> Finding:
    mode = stat.S_IMODE((state.directory / STATE_FILE).stat().st_mode)
    return Finding(mode == 0o600, f"the token's file has mode {mode:o} (600 is right)")


def _engine(address: str, host: str) -> list[Finding]:
    try:
        engine = DockerEngine(address, host=host)
        machine = engine.machine()
        free = engine.disk_free_mb()
    except AgentError as error:
        return [Finding(False, f"engine at {address}: {error}")]
    init = "has an init" if machine.init else "has no init: stops will take their whole grace"
    paths = "sees" if machine.paths_shared else "does not see: no hosts file, disk not measured"
    return [
        Finding(True, f"engine {machine.version} at {address}, {machine.architecture}"),
        Finding(machine.init, f"the engine {init}"),
        Finding(machine.paths_shared, f"the agent {paths} the engine's files"),
        Finding(free > DISK_LOW_MB, f"{free} MiB of disk are free"),
    ]


def _cloud(state: State) -> Finding:
    server = state.identity.server
    began = time.monotonic()
    try:
        HttpCloud(server, token=lambda: state.identity.token).credentials()
    except CloudRefused as refusal:
        return Finding(False, f"{server} does not accept this host: {refusal}")
    except AgentError as error:
        return Finding(False, f"{server} cannot be reached: {error}")
    took = time.monotonic() - began
    return Finding(took < ANSWER_SECONDS, f"{server} answered in {took * 1000:.0f} ms")


def _policy(path: str | None) -> Finding:
    try:
        load(Path(path) if path else None)
    except AgentError as error:
        return Finding(False, str(error))
    return Finding(True, f"policy: {path or 'none, the machine as it is'}")
