"""Everything that can go wrong between a caller and the API, as one tree.

WharfageError
├── ApiError              the API refused; its problem document says why
│   ├── Rejected          400, 405, 413, 415, 422: the request is not acceptable
│   ├── NotSignedIn       401
│   ├── NoFunds           402
│   ├── Forbidden         403
│   ├── NotFound          404
│   ├── Conflict          409, 412
│   └── Temporary         429, 5xx: the same later may work
├── Unreachable           no answer came; what was asked may or may not have been done
├── NotTheApi             something answered that is not this API
└── LocalError            it went wrong on this side, before or after the call
"""

from collections.abc import Mapping, Sequence
from typing import Any


class WharfageError(Exception):
    """What went wrong, by a stable code and the facts that belong to it."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts: Mapping[str, Any] = facts
        self.request_id: str | None = None

    def __str__(self) -> str:
        return f"{self.code} {dict(self.facts)}" if self.facts else self.code


class LocalError(WharfageError):
    """It went wrong on this side; the code names a text in `words`."""


class Unreachable(WharfageError):
    """No answer came."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__("unreachable", url=url, reason=reason)


class NotTheApi(WharfageError):
    """Something answered that is not this API."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__("not_the_api", url=url, status=status)


class ApiError(WharfageError):
    """The API refused: title and detail are for people, the code for programs."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        known = {"type", "title", "status", "detail", "code", "request_id", "errors"}
        facts = {name: value for name, value in problem.items() if name not in known}
        super().__init__(str(problem.get("code", f"http_{status}")), **facts)
        self.status = status
        self.title = str(problem.get("title", ""))
        self.detail = str(problem.get("detail", ""))
        self.errors: Sequence[Mapping[str, str]] = _faults(problem.get("errors"))
        self.request_id = str(problem["request_id"]) if problem.get("request_id") else None

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.title}"


class Rejected(ApiError):
    """The request cannot be read or is not acceptable."""


class NotSignedIn(ApiError):
    """Nobody the API knows is asking."""


class NoFunds(ApiError):
    """The balance does not cover it."""


class Forbidden(ApiError):
    """Known, and not allowed."""


class NotFound(ApiError):
    """There is no such thing, or it is somebody else's."""


class Conflict(ApiError):
    """Its present state does not allow it."""


class Temporary(ApiError):
    """The same later may work."""


_CLASSES: Mapping[int, type[ApiError]] = {
    401: NotSignedIn,
    402: NoFunds,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    429: Temporary,
}


def api_error(status: int, problem: Mapping[str, Any]) -> ApiError:
    """Make the error of an answer that refuses."""
    other = Temporary if status >= 500 else Rejected
    return _CLASSES.get(status, other)(status, problem)


def _faults(given: Any) -> Sequence[Mapping[str, str]]:
    if not isinstance(given, list):
        return ()
    return [
        {name: str(fault.get(name, "")) for name in ("pointer", "code", "message")}
        for fault in given
        if isinstance(fault, dict)
    ]
