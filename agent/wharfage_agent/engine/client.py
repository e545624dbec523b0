"""A Docker Engine through docker-py's low-level client: one set of connections a process."""

import io
import resource
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import docker

from wharfage.domain.image import Reference
from wharfage.domain.spec import VOLUME_PATH
from wharfage_agent.attempts import Container, Image
from wharfage_agent.containers import HOST_LABEL
from wharfage_agent.engine.archive import Archives
from wharfage_agent.engine.faults import answered, pull_reason, pull_refused
from wharfage_agent.engine.stream import SocketSource, Streams
from wharfage_agent.errors import EngineAway, EngineRefused, NotThere, UnusableHost
from wharfage_agent.ports import Event, Machine, OpenFile

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
API_NEWEST = (1, 47)  #: What this agent was written against.
API_OLDEST = (1, 41)  #: Docker 20.10.
CALL_SECONDS = 60
POOL_MAX = 32
MEBIBYTE = 1024 * 1024
ANYBODY_MAY_WRITE = 0o1777
NEVER = "0001-01-01"  #: How the engine writes a time that has not come.


class DockerEngine:
    """The engine at *address*, as the host *host* sees it: its own containers only."""

    def __init__(self, address: str, *, host: str) -> None:
        self._address = address
        self._host = host
        self._api = _connect(address)
        self._streams = Streams(address, self._api.api_version)
        self._archives = Archives(address, self._api.api_version)
        self._root: Path | None = None

    # The machine.

    def machine(self) -> Machine:
        """Look at the engine and its host."""
        with answered():
            info, version = self._api.info(), self._api.version()
        root = Path(info["DockerRootDir"])
        self._root = root if root.is_dir() else None
        init = {part["Name"]: part["Version"] for part in version.get("Components") or ()}
        total = shutil.disk_usage(self._root or "/").total
        return Machine(
            version=version["Version"],
            architecture=version["Arch"],
            cpu_count=info["NCPU"],
            memory_mb=info["MemTotal"] // MEBIBYTE,
            disk_mb=total // MEBIBYTE,
            init=init.get("docker-init", "N/A") != "N/A",
            paths_shared=self._root is not None,
            files_max=_files_max(),
        )

    def disk_free_mb(self) -> int:
        """Return the free space where the engine keeps containers, or here if that is hidden."""
        return shutil.disk_usage(self._root or "/").free // MEBIBYTE

    # Images.

    def image(self, reference: str) -> Image | None:
        """Return an image that is here. One without a repository has only its id as digest."""
        try:
            with answered():
                found = self._api.inspect_image(reference)
        except NotThere:
            return None
        digests = [name.partition("@")[2] for name in found.get("RepoDigests") or ()]
        named = reference.partition("@")[2]
        digest = named or (digests[0] if digests else found["Id"])
        user = (found.get("Config") or {}).get("User") or ""
        return Image(reference=found["Id"], digest=digest, user=user)

    def digest_of(self, reference: Reference) -> str:
        """Ask the registry, through the engine, which digest a tag stands for."""
        try:
            with answered():
                # The host's own registry credentials are not the customers'.
                found = self._api.inspect_distribution(str(reference), auth_config={})
        except EngineRefused as refusal:
            raise pull_refused(refusal.text) from refusal
        return str(found["Descriptor"]["digest"])

    def pull(self, reference: Reference) -> None:
        """Fetch an image by its digest."""
        try:
            with answered():
                said = self._api.pull(
                    reference.repository,
                    tag=reference.digest or reference.tag,
                    stream=True,
                    decode=True,
                    auth_config={},
                )
                for line in said:
                    if "error" in line:
                        raise pull_refused(str(line["error"]))
        except EngineRefused as refusal:
            raise EngineRefused(pull_reason(refusal.text), refusal.text) from refusal

    # Containers.

    def create(self, name: str, config: dict[str, Any]) -> Container:
        """Create a container, and open its volume to the user it runs as."""
        with answered():
            made = self._api.create_container_from_config(config, name)
            found = _container(self._api.inspect_container(made["Id"]))
            self._open_volume(found)
        return found

    def _open_volume(self, container: Container) -> None:
        """Let anybody write to the volume's root: the engine makes it root's own."""
        if container.volume is not None and self._root is not None:
            Path(container.volume).chmod(ANYBODY_MAY_WRITE)
            return
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            # The engine skips an entry `.`, and takes `/` for the same place.
            entry = tarfile.TarInfo("/")
            entry.type, entry.mode = tarfile.DIRTYPE, ANYBODY_MAY_WRITE
            tar.addfile(entry)
        self._api.put_archive(container.id, VOLUME_PATH, archive.getvalue())

    def put_files(self, container: str, size_bytes: int, parts: Iterable[bytes]) -> None:
        """Unpack a tar stream in a container's volume."""
        self._archives.put(container, size_bytes, parts)

    def open_file(self, container: str, path: str) -> AbstractContextManager[OpenFile]:
        """Read a plain file of a container that has ended."""
        return self._archives.open(container, path)

    def start(self, container: str) -> None:
        """Start a container. One that has exited would run again."""
        with answered():
            self._api.start(container)

    def signal(self, container: str, name: str) -> None:
        """Send a signal to process 1."""
        with answered():
            self._api.kill(container, name)

    def remove(self, container: str, *, force: bool) -> None:
        """Remove a container and its anonymous volume."""
        with answered():
            self._api.remove_container(container, v=True, force=force)

    def inspect(self, container: str) -> Container | None:
        """Look at a container, by id or name."""
        try:
            with answered():
                return _container(self._api.inspect_container(container))
        except NotThere:
            return None

    def remembers(self, container: str) -> bool:
        """Tell whether the engine has not been away since it started a container.

        It keeps its last 256 events, and none over a restart. Raises: NotThere.
        """
        with answered():
            started_at = _time(self._api.inspect_container(container)["State"]["StartedAt"])
            now = _time(self._api.info()["SystemTime"])  # Its own, for it waits for a later one.
            if started_at is None or now is None:
                return True
            kept = self._api.events(
                since=_seconds(started_at),
                until=_seconds(now),
                filters={"type": "container", "container": container, "event": "start"},
            )
            return any(True for _ in kept)

    def containers(self) -> list[Container]:
        """List this host's own containers: their states, not their times."""
        with answered():
            listed = self._api.containers(all=True, filters={"label": f"{HOST_LABEL}={self._host}"})
        return [
            Container(
                id=found["Id"],
                name=found["Names"][0].lstrip("/"),
                status=found["State"],
                labels=found["Labels"] or {},
            )
            for found in listed
            if found["Names"]
        ]

    # Streams.

    def attach(self, container: str) -> SocketSource:
        """Listen from now on."""
        return self._streams.attach(container)

    def follow(self, container: str) -> SocketSource:
        """Read from the first byte on."""
        return self._streams.follow(container)

    def events(self, *, connected: Callable[[], None]) -> Iterator[Event]:
        """Wait for ends of this host's containers, until the engine goes away.

        Nothing is replayed after that: who listens again has to look at everything.
        """
        filters = {
            "type": "container",
            "event": ["die", "oom"],
            "label": f"{HOST_LABEL}={self._host}",
        }
        with answered():
            stream = self._api.events(decode=True, filters=filters)
            connected()  # What happens from here on is in the stream.
            for event in stream:
                yield Event(container=event["id"], action=event["Action"])


def _connect(address: str) -> docker.APIClient:
    """Ask the engine for its versions once, choose, and pin. Raises: EngineAway, UnusableHost."""
    first = ".".join(map(str, API_OLDEST))
    try:
        with answered():
            client = docker.APIClient(base_url=address, version=first, timeout=CALL_SECONDS)
            said = client.version(api_version=False)
            client.close()
    except EngineRefused as refusal:
        raise EngineAway(str(refusal)) from refusal
    newest, oldest = _version(said["ApiVersion"]), _version(said.get("MinAPIVersion") or "1.12")
    chosen = min(newest, API_NEWEST)
    if chosen < max(oldest, API_OLDEST):
        raise UnusableHost(
            f"Docker Engine {said['Version']} speaks API {said.get('MinAPIVersion')} to "
            f"{said['ApiVersion']}; the agent needs {first} to {'.'.join(map(str, API_NEWEST))}."
        )
    with answered():
        client = docker.APIClient(
            base_url=address,
            version=".".join(map(str, chosen)),
            timeout=CALL_SECONDS,
            max_pool_size=POOL_MAX,
        )
    # Not through a proxy, as its streams are not; and looking for one costs a sixth of each call.
    client.trust_env = False
    return client


def _container(found: dict[str, Any]) -> Container:
    state = found["State"]
    volumes = [
        m.get("Source") for m in found.get("Mounts") or () if m["Destination"] == VOLUME_PATH
    ]
    return Container(
        id=found["Id"],
        name=found["Name"].lstrip("/"),
        status=state["Status"],
        labels=found["Config"].get("Labels") or {},
        started_at=_time(state.get("StartedAt")),
        finished_at=_time(state.get("FinishedAt")),
        exit_code=state.get("ExitCode"),
        oom=bool(state.get("OOMKilled")),
        volume=volumes[0] if volumes else None,
    )


def _time(text: str | None) -> datetime | None:
    """Read a time of the engine; None for one that has not come."""
    if not text or text.startswith(NEVER):
        return None
    return datetime.fromisoformat(text)


def _seconds(moment: datetime) -> str:
    """Write a time as the engine reads one in a query."""
    return f"{moment.timestamp():.6f}"


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def _files_max() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard if hard != resource.RLIM_INFINITY else 2**20
