"""The host's veto: a TOML file of the host's owner that binds the agent whatever it is told."""

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from wharfage.domain.errors import Invalid
from wharfage.domain.image import Reference
from wharfage.domain.spec import JobSpec
from wharfage_agent.errors import UnusableHost

Positive = Annotated[int, Meta(ge=1)]


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What this host allows, and how much of itself it gives. None means: as the machine has."""

    allowed_registries: tuple[str, ...] | None = None  #: None: what the control plane allows.
    local_images: tuple[str, ...] = ()  #: Beginnings of names that are here and never pulled.
    allow_root: bool = False  #: Containers may keep an image's root user.
    slots: Positive | None = None
    max_cpu_millis: Positive | None = None
    max_memory_mb: Positive | None = None
    max_pids: Positive = 256
    disk_reserve_mb: Annotated[int, Meta(ge=0)] = 1024  #: Below this much free disk: no claims.
    cgroup_parent: str | None = None
    runtime: str | None = None  #: Another OCI runtime the engine knows, such as `runsc`.
    network_recipe: Annotated[str, Meta(pattern="^(fast|classic)$")] = "fast"
    settle_seconds: Annotated[float, Meta(ge=0)] = 30.0  #: How long a lost start may take to land.

    def vetoes(self, spec: JobSpec) -> bool:
        """Tell whether this host refuses *spec*."""
        return (
            _over(spec.resources.cpu_millis, self.max_cpu_millis)
            or _over(spec.resources.memory_mb, self.max_memory_mb)
            or not self._allows_image(spec.image)
        )

    def local(self, reference: Reference) -> bool:
        """Tell whether an image is the host's own, and never pulled."""
        names = (str(reference), str(reference).removeprefix("docker.io/"))
        return any(name.startswith(prefix) for prefix in self.local_images for name in names)

    def _allows_image(self, image: str) -> bool:
        try:
            reference = Reference.parse(image)
        except Invalid:
            return False
        if self.local(reference) or self.allowed_registries is None:
            return True
        return reference.registry in self.allowed_registries


def load(path: Path | None) -> Policy:
    """Read a policy file; without one everything is as the machine has it.

    Raises: UnusableHost, saying what is wrong with the file.
    """
    if path is None:
        return Policy()
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Policy)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UnusableHost(f"The policy file {path} cannot be used: {error}") from error


def _over(asked: int, most: int | None) -> bool:
    return most is not None and asked > most
