"""What the engine itself says of our containers: every start and every end, across its restarts."""

import contextlib
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import docker.errors
import requests
import urllib3.exceptions

from tests.chaos.parts import OwnEngine
from wharfage_agent.containers import HOST_LABEL

_AWAY = (
    OSError,
    ValueError,
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
)


@dataclass
class Life:
    """One container by its name: when it was started, and when it ended."""

    host: str
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    seen: float | None = None  #: When it was started, by what the engine says of it later.

    @property
    def started(self) -> float | None:
        return self.starts[0] if self.starts else self.seen

    def runs_at(self, moment: float) -> bool:
        if self.started is None or self.started > moment:
            return False
        return all(end > moment for end in self.ends)


class Recorder:
    """Listens to the engine for as long as it lives, and again when it is back."""

    def __init__(self, engine: OwnEngine) -> None:
        self._engine = engine
        self._heard: set[tuple[str, str, int]] = set()
        self._since = int(time.time())
        self._done = threading.Event()
        self._connected = threading.Event()
        self.lives: dict[str, Life] = defaultdict(lambda: Life(host=""))

    def start(self) -> None:
        threading.Thread(target=self._run, name="recorder", daemon=True).start()
        assert self._connected.wait(10)

    def stop(self) -> None:
        self._done.set()

    def _run(self) -> None:
        while not self._done.is_set():
            with contextlib.suppress(*_AWAY):
                self._listen()
            self._done.wait(0.05)

    def _listen(self) -> None:
        with contextlib.closing(self._engine.client()) as client:
            # An engine that is back has forgotten what it told before; ours may overlap.
            stream = client.events(
                since=self._since,
                decode=True,
                filters={"type": "container", "event": ["start", "die"], "label": [HOST_LABEL]},
            )
            self._connected.set()
            self._catch_up(client)
            for event in stream:
                self._hear(event)

    def _catch_up(self, client: Any) -> None:
        """Find the starts whose events went down with the engine that was about to tell them."""
        for listed in client.containers(all=True, filters={"label": [HOST_LABEL]}):
            life = self.lives[listed["Names"][0].removeprefix("/")]
            with contextlib.suppress(docker.errors.NotFound):
                state = client.inspect_container(listed["Id"])["State"]
                started = datetime.fromisoformat(state["StartedAt"])
                if started.year > 1:
                    life.host = listed["Labels"][HOST_LABEL]
                    life.seen = started.timestamp()

    def _hear(self, event: Any) -> None:
        attributes = event["Actor"]["Attributes"]
        mark = (event["Actor"]["ID"], event["Action"], event["timeNano"])
        if mark in self._heard:
            return
        self._heard.add(mark)
        self._since = max(self._since, int(event["time"]) - 1)
        life = self.lives[attributes["name"]]
        life.host = attributes[HOST_LABEL]
        times = life.starts if event["Action"] == "start" else life.ends
        times.append(event["timeNano"] / 1e9)


def ours(engine: OwnEngine, *, host: str | None = None, everything: bool = True) -> list[str]:
    """Name the containers that carry our label, of one host or of all. Raises: OSError."""
    label = HOST_LABEL if host is None else f"{HOST_LABEL}={host}"
    with contextlib.closing(engine.client()) as client:
        found = client.containers(all=everything, filters={"label": [label]})
    return [each["Names"][0].removeprefix("/") for each in found]
