"""An error as people and programs are told of it: five fields, and the exit code."""

from dataclasses import dataclass
from typing import Any

from wharfage_client.errors import (
    ApiError,
    Conflict,
    LocalError,
    NoFunds,
    NotFound,
    NotSignedIn,
    NotTheApi,
    Rejected,
    Temporary,
    Unreachable,
    WharfageError,
)
from wharfage_client.money import yuan
from wharfage_client.words import Words

FAILED = 1
USAGE = 2
NOT_FOUND = 3
SIGN_IN = 4
NO_BALANCE = 5
CONFLICT = 6
TEMPORARY = 7
OURS = 125  #: `run` was not able to give the container's own exit code.
NOT_EXECUTABLE = 126
COMMAND_NOT_FOUND = 127
TIMED_OUT = 124
CANCELLED = 130

_BY_CLASS: dict[type[WharfageError], int] = {
    Rejected: USAGE,
    NotSignedIn: SIGN_IN,
    NoFunds: NO_BALANCE,
    NotFound: NOT_FOUND,
    Conflict: CONFLICT,
    Temporary: TEMPORARY,
    Unreachable: TEMPORARY,
    NotTheApi: TEMPORARY,
}
_BY_CODE = {
    "usage": USAGE,
    "bad_url": USAGE,
    "bad_profile": USAGE,
    "insecure_url": USAGE,
    "no_server": USAGE,
    "prompt_needed": USAGE,
    "ambiguous_id": USAGE,
    "no_shell": USAGE,
    "no_sandbox": USAGE,
    "not_the_sandbox": USAGE,
    "no_sandbox_there": TEMPORARY,
    "sandbox_refused": CONFLICT,
    "not_credited": TEMPORARY,
    "file_not_sent": TEMPORARY,
    "file_not_fetched": TEMPORARY,
    "id_not_found": NOT_FOUND,
    "not_signed_in": SIGN_IN,
    "token_refused": SIGN_IN,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What failed, why, what to do, a stable code, and the request id where there is one."""

    what: str
    why: str
    todo: str
    code: str
    request_id: str | None

    def fields(self) -> dict[str, Any]:
        """Return the five fields for programs."""
        return {
            "what": self.what,
            "why": self.why,
            "do": self.todo,
            "code": self.code,
            "request_id": self.request_id,
        }

    def lines(self, words: Words) -> list[str]:
        """Write the five fields for people; one that is not known is left out."""
        labelled = [
            ("label.why", self.why),
            ("label.do", self.todo),
            ("label.code", self.code),
            ("label.request", self.request_id or ""),
        ]
        first = f"{words('label.error')}: {self.what}"
        return [first, *(f"  {words(label)}: {text}" for label, text in labelled if text)]


def explain(error: WharfageError, command: str, words: Words) -> Failure:
    """Say an error in five fields."""
    why, todo = words.advice(error.code, **_facts(error, command))
    if isinstance(error, ApiError):
        why = "\n       ".join([why or error.title or f"HTTP {error.status}", *_faults(error)])
        todo = todo or error.detail
    return Failure(
        what=words("what", command=command),
        why=why,
        todo=todo,
        code=error.code,
        request_id=error.request_id,
    )


def exit_code(error: WharfageError) -> int:
    """Choose the exit code of an error."""
    if isinstance(error, LocalError):
        return _BY_CODE.get(error.code, FAILED)
    return _BY_CLASS.get(type(error), FAILED)


def _facts(error: WharfageError, command: str) -> dict[str, Any]:
    facts = {"command": command, **error.facts}
    for name in ("required", "available"):
        amount = facts.get(f"{name}_fen")
        if isinstance(amount, int):
            facts[name] = yuan(amount)
    return facts


def _faults(error: ApiError) -> list[str]:
    return [f"{fault['pointer']}: {fault['message']}" for fault in error.errors]
