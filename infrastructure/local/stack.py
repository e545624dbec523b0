"""The product on one machine: what runs, in which order, and with which settings.

    engine, registry, emulator (SQS, STS), sandboxes of the channels, gateway, agent

Each is a child of the supervisor. The engine is left out where one runs already, and the registry
where its program is not installed.
"""

import os
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from infrastructure.local import engine, images, registry
from infrastructure.local.emulator import Emulator, emulator
from infrastructure.local.host import HostAgent
from infrastructure.local.keys import Keys, keys
from infrastructure.local.paths import Paths, made
from infrastructure.local.ports import LOOPBACK, Ports
from infrastructure.local.process import Command, environment
from infrastructure.local.registry import RegistryMissing, answers
from infrastructure.local.sandboxes import Sandboxes
from infrastructure.local.supervisor import running
from infrastructure.setup.layout import ROOT
from wharfage import wiring
from wharfage.adapters.dynamo.rows import DynamoRows
from wharfage.adapters.dynamo.tables import create_tables
from wharfage.domain.errors import StateConflict
from wharfage.operations import accounts
from wharfage.settings import Settings, read

GATEWAY_PORT = 8080  #: Preferred; another one is taken when this one is not free.
SCHEDULE_SECONDS = 2
REGISTRY_IMAGE = ("demo/hello", "1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which store the stack keeps its rows in: its own file, or any DynamoDB."""

    store: str = "embedded"
    endpoint: str | None = None


class Stack:
    """The stack of one home."""

    def __init__(self, paths: Paths, choice: Choice, say: Callable[[str], None]) -> None:
        self.paths = paths
        self.choice = choice
        self._say = say
        self._emulator = Emulator(port=self._port("emulator"))
        self._registry_port = self._port("registry")
        self._gateway_port = self._port("gateway", preferred=GATEWAY_PORT)

    def _port(self, name: str, *, preferred: int | None = None) -> int:
        """Name the port of a part: of a stack that is up, the one it has."""
        ports = Ports(self.paths.ports)
        has = ports.known(name) if running(self.paths) else None
        return has or ports.take(name, preferred=preferred)

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://{LOOPBACK}:{self._gateway_port}"

    @cached_property
    def sandboxes(self) -> Sandboxes:
        """The sandboxes of the payment channels."""
        return Sandboxes(
            folder=self.paths.stack,
            keys=self.keys,
            alipay_port=self._port("sandbox"),
            wechat_port=self._port("wechat"),
            stripe_port=self._port("stripe"),
            api_url=self.url,
        )

    @property
    def emulator_endpoint(self) -> str:
        """Where SQS and STS are."""
        return self._emulator.endpoint

    @property
    def operator_code(self) -> Path:
        """The file with the one-time code of the first operator, while it is of use."""
        return self.paths.stack / "operator-code"

    @property
    def up_mark(self) -> Path:
        """A file that is there while everything is up."""
        return self.paths.stack / "up"

    @property
    def client_home(self) -> Path:
        """Where the demo's customer keeps its sign-in, apart from the user's own."""
        return self.paths.stack / "customer"

    def client_environ(self) -> dict[str, str]:
        """Point the `wharfage` command at this stack."""
        return {"WHARFAGE_URL": self.url, "WHARFAGE_CONFIG": str(self.client_home)}

    @cached_property
    def keys(self) -> Keys:
        """The secrets of this machine, made when first asked for."""
        made(self.paths.stack)
        return keys(self.paths.keys)

    @cached_property
    def settings(self) -> Settings:
        """What the gateway is started with, as its own process reads it."""
        return read(self._environ(), resolve=lambda name: name)

    @property
    def gateway_environ(self) -> dict[str, str]:
        """The environment that the gateway is started with."""
        return self._environ()

    @cached_property
    def wired(self) -> wiring.Wired:
        """The same store and queues as the gateway's, for what the stack does by itself."""
        os.environ.update(self._emulator.environ())  # Where the AWS SDK looks for credentials.
        return wiring.Wired(settings=self.settings, ports=wiring.ports_from(self.settings))

    @cached_property
    def engine_command(self) -> Command | None:
        """An engine of our own, unless one runs here already. Raises: EngineMissing."""
        return None if engine.find(os.environ) else engine.own(self.paths)

    @property
    def engine_url(self) -> str:
        """Where the engine is."""
        found = None if self.engine_command else engine.find(os.environ)
        return found.url if found else engine.own_url(self.paths)

    def commands(self) -> list[Command]:
        """List what runs, in the order in which it depends on each other. Raises: EngineMissing."""
        own = [self.engine_command] if self.engine_command else []
        return [
            *own,
            *self._registry(),
            emulator(self.paths, self._emulator),
            self.sandboxes.command(),
            self._gateway(),
            self.agent.command(),
        ]

    @cached_property
    def agent(self) -> HostAgent:
        """The agent of this machine."""
        return HostAgent(
            paths=self.paths,
            server=self.url,
            engine_url=lambda: self.engine_url,
            registries=tuple(sorted(self.settings.registries)),
            ports=lambda: self.wired.ports,
        )

    def prepare(self) -> None:
        """Make what the gateway needs before it starts: tables, and the first operator's code."""
        ports = self.wired.ports
        if self.choice.store == "dynamodb":
            rows = DynamoRows(
                prefix=self.settings.table_prefix,
                region=self.settings.region,
                endpoint=self.settings.dynamodb_endpoint,
            )
            create_tables(rows.connection, self.settings.table_prefix)
        with suppress(StateConflict):  # There is an operator, so no code is of use any more.
            code = accounts.open_operator_code(ports)
            self.operator_code.touch(mode=0o600)
            self.operator_code.write_text(code + "\n")
            return
        self.operator_code.unlink(missing_ok=True)

    def _registry(self) -> list[Command]:
        try:
            found = registry.registry(self.paths, port=self._registry_port)
        except RegistryMissing as missing:
            self._say(f"{missing}\nWithout it the stack works, but has no images to pull.")
            return []
        return [replace(found, once_ready=self._fill_registry)]

    def _fill_registry(self) -> None:
        """Make the demo image, and push it, so that there is one to run and one to pull."""
        found = engine.probe(self.engine_url)
        assert found is not None, "the engine is started before the registry"
        repository, tag = REGISTRY_IMAGE
        with closing(engine.connect(found)) as client:
            images.demo(client)
            images.push(
                client,
                images.DEMO_IMAGE,
                registry=registry.name(self._registry_port),
                repository=repository,
                tag=tag,
            )

    @property
    def registry_image(self) -> str:
        """The demo image as it is pulled from the loopback registry."""
        return f"{registry.name(self._registry_port)}/{REGISTRY_IMAGE[0]}:{REGISTRY_IMAGE[1]}"

    def _gateway(self) -> Command:
        return Command(
            name="gateway",
            argv=(
                *(sys.executable, "-m", "infrastructure.local.gateway"),
                *("--port", str(self._gateway_port)),
                *("--schedule-seconds", str(SCHEDULE_SECONDS)),
            ),
            cwd=ROOT,
            env=environment(**self._environ()),
            ready=lambda: answers(self._gateway_port, "/v1/health"),
            before_start=self.prepare,
        )

    def _environ(self) -> dict[str, str]:
        store = {"STORE": self.choice.store}
        if self.choice.store == "embedded":
            store["STORE_FILE"] = str(self.paths.store)
        elif self.choice.endpoint:
            store["DYNAMODB_ENDPOINT"] = self.choice.endpoint
        return {
            **self._emulator.environ(),
            **store,
            "STAGE": "local",
            "PUBLIC_URL": self.url,
            "SECRET_KEY_FILE": str(self.keys.jwt_secret),
            "SQS_ENDPOINT": self._emulator.endpoint,
            "STS_ENDPOINT": self._emulator.endpoint,
            "OBJECTS_FOLDER": str(self.paths.objects),
            "HOST_ROLE_ARN": self._emulator.role_arn,
            "POOLS": "default",
            "REGISTRIES": f"docker.io,{registry.name(self._registry_port)}",
            **self.sandboxes.environ(),
        }
