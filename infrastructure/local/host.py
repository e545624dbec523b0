"""The machine as a host of its own stack: enrolled by the stack, drained when that goes down.

A clean end hands running jobs back, free of charge: they are queued again and run at the next
start. After a crash nothing was handed back, and the next agent adopts the containers.
"""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from infrastructure.local.paths import Paths, made
from infrastructure.local.process import ChildFailed, Command, environment
from infrastructure.setup.layout import ROOT
from wharfage.domain.account import Principal, Role
from wharfage.domain.errors import Refused, Unauthenticated
from wharfage.domain.host import Host, HostStatus
from wharfage.operations import hosts
from wharfage.ports import Ports
from wharfage.schema import HOST
from wharfage_agent.errors import UnusableHost
from wharfage_agent.identity import State

AGENT = Path(sys.executable).with_name("wharfage-agent")
LOCAL_IMAGES = ("wharfage/",)  #: Made on this machine by `docker import`, and never pulled.
_ENROL_SECONDS = 60
_GRACE_SECONDS = 25

#: Who the stack is when it acts by itself.
STACK = Principal(account="local-stack", session="local-stack", role=Role.ADMIN)


@dataclass(kw_only=True, slots=True)
class HostAgent:
    """The agent of this machine and what it is told."""

    paths: Paths
    server: str
    engine_url: Callable[[], str]
    registries: tuple[str, ...]
    ports: Callable[[], Ports]
    _boot_before: str | None = None  #: The agent's life before the one that is being started.

    def command(self) -> Command:
        """Make the command that runs the agent; it is enrolled before its first start."""
        return Command(
            name="agent",
            argv=(
                *(str(AGENT), "run"),
                *("--state-dir", str(self.paths.agent)),
                *("--engine", self.engine_url()),
                *("--policy", str(self._policy)),
            ),
            cwd=ROOT,
            env=environment(),
            ready=self._ready,
            before_start=self._before_start,
            before_stop=self._hand_back,
            grace_seconds=_GRACE_SECONDS,
        )

    @property
    def _policy(self) -> Path:
        return self.paths.stack / "agent-policy.toml"

    @property
    def _state(self) -> State:
        return State(self.paths.agent)

    def _before_start(self) -> None:
        made(self.paths.agent)
        self._write_policy()
        if not self._known():
            self._enrol()
        elif self._state.identity.server != self.server:
            self._state.keep(msgspec.structs.replace(self._state.identity, server=self.server))
        host = self._host()
        self._boot_before = host.boot
        if host.status in (HostStatus.DRAINING, HostStatus.DRAINED):
            hosts.undrain(self.ports(), host.id)

    def _known(self) -> bool:
        """Tell whether this machine is a host that the store knows; a new store knows none."""
        try:
            hosts.authenticate(self.ports(), self._state.identity.token)
        except (UnusableHost, Unauthenticated):
            return False
        return True

    def _enrol(self) -> None:
        for left in self.paths.agent.glob("*.json*"):
            left.unlink()  # Of a host that the store does not know.
        done = self._try_to_enrol()
        if (
            done.returncode != 0
        ):  # A slow answer may have used the code up: once more, with another.
            done = self._try_to_enrol()
        if done.returncode != 0:
            raise ChildFailed(f"this machine could not be enrolled:\n{done.stderr.strip()}")

    def _try_to_enrol(self) -> subprocess.CompletedProcess[str]:
        code = hosts.issue_code(self.ports(), STACK, pool="default", labels={"local": "yes"})
        return subprocess.run(
            (
                *(AGENT, "enrol", "--server", self.server, "--code", code.code),
                *("--state-dir", self.paths.agent, "--engine", self.engine_url()),
                *("--policy", self._policy, "--name", "this-machine"),
            ),
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            check=False,
            text=True,
            timeout=_ENROL_SECONDS,
        )

    def _write_policy(self) -> None:
        registries = ", ".join(f'"{name}"' for name in self.registries)
        images = ", ".join(f'"{name}"' for name in LOCAL_IMAGES)
        self._policy.write_text(
            "# What this machine allows its jobs. Written anew at every start of the stack.\n"
            f"allowed_registries = [{registries}]\nlocal_images = [{images}]\n"
        )

    def _host(self) -> Host:
        host = self.ports().store.get(HOST.key(id=self._state.identity.host))
        assert host is not None, "an enrolled host has its row"
        return host

    def _ready(self) -> bool:
        """Tell whether the agent has been heard since it was started."""
        try:
            host = self._host()
        except (Refused, UnusableHost):
            return False
        return host.boot not in (None, self._boot_before) and host.status is HostStatus.READY

    def _hand_back(self) -> None:
        with suppress(Refused, UnusableHost):
            host_id = self._state.identity.host
            hosts.drain(self.ports(), host_id, deadline_seconds=0)
            hosts.stop_for_drain(self.ports(), host_id)
