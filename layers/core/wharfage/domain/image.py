"""Image references: read strictly, so that what is checked is what the engine is told."""

import re
from dataclasses import dataclass
from typing import Self

from wharfage.domain import limits
from wharfage.domain.errors import fault

DEFAULT_REGISTRY = "docker.io"

_HOST = r"(?:localhost|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+)"
_PORT = r"(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<registry>{_HOST}{_PORT}|[a-z0-9-]+:[0-9]{{1,5}})/)?"
    rf"(?P<path>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """An image's full name. A bare name is Docker Hub's, as the engine reads it."""

    registry: str
    path: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference such as `busybox`, `localhost:5000/demo/hello:1`, `name@sha256:...`.

        Raises: Invalid.
        """
        match = _REFERENCE.fullmatch(text) if len(text) <= limits.IMAGE_CHARACTERS_MAX else None
        if match is None:
            raise fault("/image", "image_reference", "This is not an image reference.")
        registry = match["registry"] or DEFAULT_REGISTRY
        path = match["path"]
        if registry == DEFAULT_REGISTRY and "/" not in path:
            path = f"library/{path}"
        tag = match["tag"] or (None if match["digest"] else "latest")
        return cls(registry=registry, path=path, tag=tag, digest=match["digest"])

    @property
    def repository(self) -> str:
        """Return registry and path, without tag and digest."""
        return f"{self.registry}/{self.path}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return self.repository + tag + (f"@{self.digest}" if self.digest else "")
