"""What the engine's answers mean. Its texts stay on this host; only reasons leave it."""

from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
import urllib3

from wharfage.domain.attempt import ReasonCode
from wharfage_agent.errors import EngineAway, EngineRefused, NameTaken, NotRunning, NotThere

NOT_MODIFIED, BAD_REQUEST, NOT_FOUND, CONFLICT, INTERNAL = 304, 400, 404, 409, 500

#: Parts of what runc and the engine say when a program cannot be started, in lower case.
_NOT_FOUND = (
    "executable file not found",
    "no such file or directory",
    "not a directory",
    "no command specified",
)
_NOT_EXECUTABLE = ("permission denied", "exec format error", "is a directory")

#: One of them is there when it is the customer's program that is spoken of.
_PROGRAM = ('exec: "', "exec format error", "exec user process", "no command specified")

#: Parts of what registries say, most telling first.
_PULL_REASONS: tuple[tuple[str, ReasonCode], ...] = (
    ("no matching manifest", ReasonCode.IMAGE_WRONG_PLATFORM),
    ("does not match the specified platform", ReasonCode.IMAGE_WRONG_PLATFORM),
    ("cannot be used on this platform", ReasonCode.IMAGE_WRONG_PLATFORM),
    ("image operating system", ReasonCode.IMAGE_WRONG_PLATFORM),
    ("repository does not exist", ReasonCode.IMAGE_NOT_FOUND),
    ("manifest unknown", ReasonCode.IMAGE_NOT_FOUND),
    ("name unknown", ReasonCode.IMAGE_NOT_FOUND),
    ("manifest for", ReasonCode.IMAGE_NOT_FOUND),
    ("no such image", ReasonCode.IMAGE_NOT_FOUND),
    ("unauthorized", ReasonCode.IMAGE_AUTH_FAILED),
    ("authentication required", ReasonCode.IMAGE_AUTH_FAILED),
    ("denied", ReasonCode.IMAGE_AUTH_FAILED),
    ("no basic auth", ReasonCode.IMAGE_AUTH_FAILED),
)


@contextmanager
def answered() -> Iterator[None]:
    """Turn what the library raises into the agent's errors."""
    try:
        yield
    except docker.errors.APIError as error:
        raise _refusal(error) from error
    except (
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        docker.errors.DockerException,
        OSError,
    ) as error:
        raise EngineAway(f"{type(error).__name__}: {error}") from error


def pull_refused(text: str) -> EngineRefused:
    """Return why an image cannot be had, from what the registry or the engine said."""
    return EngineRefused(pull_reason(text), text)


def pull_reason(text: str) -> ReasonCode:
    """Read a registry's or the engine's words."""
    said = text.lower()
    for part, reason in _PULL_REASONS:
        if part in said:
            return reason
    return ReasonCode.IMAGE_PULL_FAILED


def start_reason(text: str) -> ReasonCode:
    """Read why a container could not be created or started."""
    said = text.lower()
    if not any(part in said for part in _PROGRAM):
        return ReasonCode.START_FAILED  # A path of the host's is no fault of the customer's.
    if any(part in said for part in _NOT_EXECUTABLE):
        return ReasonCode.COMMAND_NOT_EXECUTABLE
    if any(part in said for part in _NOT_FOUND):
        return ReasonCode.COMMAND_NOT_FOUND
    return ReasonCode.START_FAILED


def _refusal(error: docker.errors.APIError) -> EngineRefused:
    status = error.response.status_code if error.response is not None else INTERNAL
    text = str(error.explanation or error)
    # Podman's socket answers 500 where Docker answers 409.
    if "is already in use" in text:
        return NameTaken(ReasonCode.ENGINE_ERROR, text)
    if status == NOT_FOUND:
        return NotThere(ReasonCode.ENGINE_ERROR, text)
    if status == CONFLICT:
        return NotRunning(ReasonCode.ENGINE_ERROR, text)
    return EngineRefused(start_reason(text), text)
