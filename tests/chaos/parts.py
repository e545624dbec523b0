"""The real parts of a run: an engine, a stack and agents, each of which can be hurt and mended."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from infrastructure.local import engine, images
from infrastructure.local.paths import Paths, made
from infrastructure.local.process import Command, Process, Record, environment
from infrastructure.local.supervisor import take_down
from infrastructure.setup.layout import ROOT
from tests.chaos.namespace import Namespace
from tests.chaos.plan import OWN, SECOND, THIRD
from tests.chaos.proxy import Mode, Wire
from tests.chaos.tape import Tape
from tests.fixtures.stack import Caller, RunningStack
from wharfage_agent.identity import State

STATE_MB = 2
RESTART_SECONDS = 0.3
SKEW_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class OwnEngine:
    """An engine in a network of its own, which reaches nothing but the registry of the stack."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self.url = engine.own_url(paths)
        self._own = engine.own(paths)
        self.network = Namespace()
        self._process = Process(self._command(), paths)
        self._wires: list[Wire] = []

    def _command(self) -> Command:
        return replace(self._own, argv=(*self.network.words, *self._own.argv))

    def start(self) -> None:
        take_down([self._own], paths=self._paths, say=print)
        engine.remove(self._paths)
        self._process.start()
        self._process.wait_ready()
        with contextlib.closing(self.client()) as client:
            images.demo(client)

    def reach(self, port: int) -> None:
        """Let the engine reach a port of this machine's loopback."""
        self._wires.append(Wire(self.network.listen(port), ("127.0.0.1", port)))

    def client(self) -> Any:
        """Open a client. Raises: OSError where the engine is away."""
        found = engine.probe(self.url)
        if found is None:
            raise ConnectionError("the engine is away")
        return engine.connect(found)

    def kill(self) -> None:
        """Kill it as a crash would; containers live on."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.clear()

    def start_again(self) -> None:
        self._process.start()
        self._process.wait_ready()

    def remove(self) -> None:
        """End it and all its containers, and delete what it wrote."""
        self._process.stop()
        for wire in self._wires:
            wire.close()
        engine.remove(self._paths)
        self.network.close()


class WiredAgent:
    """An agent beside the stack's own, in a network whose every byte passes our wires."""

    def __init__(self, name: str, paths: Paths, stack: RunningStack) -> None:
        self.name = name
        self.tape = Tape()
        self.deaths: list[tuple[float, str]] = []  #: Ends that nobody asked for.
        self._stack = stack
        self._state = made(paths.home / "agents") / name
        self._policy = paths.home / "agents" / f"{name}.toml"
        self._clock = paths.home / "agents" / f"{name}.clock"
        self._network = Namespace()
        self._paths = paths
        self._killed = False
        self._stopping = threading.Event()
        self._up = threading.Event()
        self._process: Process | None = None
        self._wires: dict[str, Wire] = {}

    def begin(self, operator: Caller) -> None:
        """Enrol it on a small disk of its own, and keep it running."""
        self._state.mkdir(mode=0o700)
        options = ("-o", f"size={STATE_MB}m,mode=0700")
        subprocess.run(("mount", "-t", "tmpfs", *options, "chaos", self._state), check=True)
        self._policy.write_text('slots = 7\nlocal_images = ["wharfage/"]\ndisk_reserve_mb = 64\n')
        self._clock.write_text("+0\n")
        for name, url in (("gateway", self._stack.url), ("queues", self.queues_url)):
            port = int(url.rpartition(":")[2])
            tap = self.tape.listener if name == "gateway" else None
            self._wires[name] = Wire(self._network.listen(port), ("127.0.0.1", port), tap=tap)
        code = operator.post("/v1/hosts/codes", {})["code"]
        enrol = self._words("enrol", "--server", self._stack.url, "--code", code)
        subprocess.run(
            (*enrol, "--name", self.name, "--policy", str(self._policy)),
            check=True, cwd=ROOT, env=self._environ(), stdout=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        self.code = code
        threading.Thread(target=self._keep, name=f"keeper of {self.name}", daemon=True).start()
        assert self._up.wait(30), f"{self.name} did not start"

    @property
    def queues_url(self) -> str:
        return self._stack.stack.emulator_endpoint

    @property
    def host(self) -> str:
        return State(self._state).identity.host

    @property
    def token(self) -> str:
        return State(self._state).identity.token

    def send(self, number: signal.Signals) -> None:
        """Signal it; a killed one is started again, as a service manager would."""
        process = self._process
        pid = process.pid if process is not None else None
        if pid is not None:
            self._killed = self._killed or number is signal.SIGKILL
            os.kill(pid, number)

    def wire(self, mode: Mode, *, which: tuple[str, ...] = (), delay: float = 0.0) -> None:
        """Have its network behave differently: its wires called *which*, or all."""
        for name, wire in self._wires.items():
            if name in which or not which:
                wire.set(mode, delay=delay)

    def fill_disk(self) -> None:
        """Leave not a byte on its disk."""
        with (self._state / "ballast").open("wb", buffering=0) as ballast:
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(4096))
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(b"\0")

    def free_disk(self) -> None:
        (self._state / "ballast").unlink(missing_ok=True)

    def skew(self, seconds: float) -> None:
        """Put its time of day off, in mid-life."""
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"{seconds:+.0f}\n")
        fresh.replace(self._clock)

    def end(self) -> None:
        """End it for good."""
        self._stopping.set()
        for wire in self._wires.values():
            wire.close()
        if self._process is not None:
            self._process.stop(grace_seconds=1)
        subprocess.run(("umount", "--lazy", self._state), check=False)
        self._network.close()

    def _keep(self) -> None:
        """Run it again whenever it ends. Its life hangs on this thread's."""
        command = Command(
            name=f"agent-{self.name}",
            argv=(*self._words("run"), "--policy", str(self._policy)),
            cwd=ROOT,
            env=self._environ(),
            ready=lambda: True,
        )
        while not self._stopping.is_set():
            self._killed = False
            process = Process(command, self._paths)
            process.start()
            self._process = process
            self._up.set()
            while process.running and not self._stopping.is_set():
                time.sleep(0.05)
            if not self._stopping.is_set():
                if not self._killed:
                    self.deaths.append((time.time(), process.ending))
                process.clear()
                self._stopping.wait(RESTART_SECONDS)

    def _words(self, name: str, *more: str) -> tuple[str, ...]:
        program = (sys.executable, "-m", "tests.chaos.skewed" if self._skewed else "wharfage_agent")
        state = ("--state-dir", str(self._state), "--engine", self._stack.engine_url)
        return (*self._network.words, *program, name, *state, *more)

    @property
    def _skewed(self) -> bool:
        return self.name == THIRD and bool(SKEW_LIBRARIES)

    def _environ(self) -> dict[str, str]:
        path = {
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "agent", ROOT / "layers/core")))
        }
        if not self._skewed:
            return environment(**path)
        return environment(
            **path,
            LD_PRELOAD=str(SKEW_LIBRARIES[0]),
            FAKETIME_TIMESTAMP_FILE=str(self._clock),
            FAKETIME_NO_CACHE="1",
            DONT_FAKE_MONOTONIC="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )


class Parts:
    """Everything that runs."""

    def __init__(self, folder: Path) -> None:
        paths = Paths.of(environment(WHARFAGE_HOME=str(folder / "parts")))
        self.folder = folder
        self.paths = paths
        made(paths.home)
        self.engine = OwnEngine(paths)
        self.stack = RunningStack(home=folder / "home", engine_url=self.engine.url)
        self.wired = {name: WiredAgent(name, paths, self.stack) for name in (SECOND, THIRD)}
        self.operator = Caller(url="")
        self.operator_code = ""

    @contextlib.contextmanager
    def running(self) -> Iterator["Parts"]:
        """Bring all of it up, and down again at the end."""
        with contextlib.ExitStack() as ends:
            ends.callback(self.engine.remove)
            self.engine.start()
            # Before the stack, whose agent and registry need it, though the port is chosen by it.
            self.engine.reach(int(self.stack.stack.registry_image.partition("/")[0].split(":")[1]))
            ends.callback(self._down)
            self.stack.up()
            self.operator_code = (self.stack.home / "stack" / "operator-code").read_text().strip()
            self.operator = _operator(self.stack, self.operator_code)
            for agent in self.wired.values():
                ends.callback(agent.end)
                agent.begin(self.operator)
            yield self

    def host(self, name: str) -> str:
        """Name the host that an agent is."""
        if name == OWN:
            return State(self.stack.paths.agent).identity.host
        return self.wired[name].host

    def send(self, name: str, number: signal.Signals) -> None:
        """Signal an agent."""
        if name == OWN:
            self.child("agent").send(number)
        else:
            self.wired[name].send(number)

    def child(self, name: str) -> Record:
        """Find a child of the stack."""
        return self.stack.record(name)

    def _down(self) -> None:
        for name in ("gateway", "emulator", "agent"):
            with contextlib.suppress(AssertionError):
                self.child(name).send(signal.SIGCONT)
        self.stack.command("down")
        if self.stack.process is not None:
            self.stack.process.wait(timeout=60)


def _operator(stack: RunningStack, code: str) -> Caller:
    caller = Caller(url=stack.url)
    given = {"code": code, "email": caller.email, "password": caller.password}
    caller.post("/v1/auth/operator", given)
    return caller.sign_in()


def fresh(folder: Path) -> Path:
    """Make the folder of a run, without what an earlier run of the same seed left."""
    left = Paths.of(environment(WHARFAGE_HOME=str(folder / "parts")))
    for mounted in sorted(folder.glob("parts/agents/*")):
        if mounted.is_mount():
            subprocess.run(("umount", "--lazy", mounted), check=True)
    if left.home.exists():
        take_down([engine.own(left)], paths=left, say=print)
        engine.remove(left)
    shutil.rmtree(folder, ignore_errors=True)
    return made(folder)
