"""Prints a call instead of making it, as a line for the shell; secrets are named, never shown."""

import json
import re
import shlex
from collections.abc import Collection

from wharfage_client.transport import Answer, Call, checked

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Printed(Exception):
    """Stands for the answer of a call that was printed."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line


class Curl:
    """`api.Sender` that answers every call with `Printed`."""

    def __init__(self, url: str, *, language: str, hidden: Collection[str]) -> None:
        checked(url)
        self.url = url
        self._language = language
        self._hidden = hidden

    def send(self, call: Call) -> Answer:
        """Refuse to send, and say what would have been sent. Raises: Printed, always."""
        words = ["curl", "--fail-with-body"]
        if call.method != "GET":
            words += ["-X", call.method]
        words.append(shlex.quote(self.url + call.target))
        headers = {"Accept-Language": self._language, **call.headers}
        for name, value in headers.items():
            words += ["-H", shlex.quote(f"{name}: {value}")]
        if call.token:
            words += ["-H", '"Authorization: Bearer $WHARFAGE_TOKEN"']
        if call.body is not None:
            body = shlex.quote(json.dumps(call.body, ensure_ascii=False))
            words += ["--data", _VARIABLE.sub(self._spliced, body)]
        raise Printed(" ".join(words))

    def close(self) -> None:
        """Hold nothing."""

    @staticmethod
    def pause(seconds: float) -> None:
        """Wait for nothing: nothing was sent."""

    def _spliced(self, match: re.Match[str]) -> str:
        """Have the shell put a variable in; only for what this command has hidden."""
        name = match[1]
        return f"'\"${name}\"'" if name in self._hidden else match[0]


def hidden(name: str) -> str:
    """Return what stands in a call for the secret that a shell variable holds."""
    return f"${{{name}}}"
