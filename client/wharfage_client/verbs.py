"""What every command has in common: its options, and what it works with."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wharfage_client.money import fen

if TYPE_CHECKING:
    from wharfage_client.api import Client
    from wharfage_client.console import Console
    from wharfage_client.errors import LocalError
    from wharfage_client.settings import Settings
    from wharfage_client.words import Words

SEARCHED_MAX = 1000  #: How many of the newest things are looked at for the beginning of an id.
_ID_CHARACTERS = 26  #: After its prefix, such as `job_`.

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Flags:
    """What was asked of the command as a whole, wherever on the line it stood."""

    as_json: bool = False
    curl: bool = False
    url: str | None = None
    profile: str | None = None
    command: str = "wharfage"
    failure_exit: int | None = None  #: The exit code of every failure of ours.


class Verb(click.Command):
    """A command with the options all commands have. *calls*: it calls the API."""

    def __init__(
        self, *args: Any, calls: bool = True, failure_exit: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._failure_exit = failure_exit
        self.params += common_options(calls=calls)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        _name(parent, info_name, self._failure_exit)
        return super().make_context(info_name, args, parent, **extra)


class VerbGroup(click.Group):
    """A command with commands of its own, which alone does what it is named for."""

    command_class = Verb

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["invoke_without_command"] = True
        super().__init__(*args, **kwargs)
        self.params += common_options()

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        _name(parent, info_name, None)
        return super().make_context(info_name, args, parent, **extra)


def _name(parent: click.Context | None, name: str | None, failure_exit: int | None) -> None:
    """Write down which command it is before its arguments are read: they may be wrong."""
    if parent is not None:
        flags = parent.ensure_object(Flags)
        flags.command = f"{parent.command_path} {name}"
        flags.failure_exit = failure_exit


def common_options(*, calls: bool = True) -> list[click.Parameter]:
    """Make the options that every command takes."""
    options = [
        click.Option(
            ["as_json", "--json"], is_flag=True, help="Write JSON: an object, or a line an event."
        ),
        click.Option(["--profile"], metavar="NAME", help="Use this profile. [WHARFAGE_PROFILE]"),
        click.Option(["--url"], metavar="URL", help="Use this server. [WHARFAGE_URL]"),
    ]
    if calls:
        text = "Print the call as a curl line instead of making it."
        options.append(click.Option(["--curl"], is_flag=True, help=text))
    for option in options:
        option.expose_value = False
        option.is_eager = True
        option.callback = _take
    return list(options)


def _take(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    if value and param.name:
        setattr(ctx.ensure_object(Flags), param.name, value)
    return value


@dataclass(slots=True)
class Cli:
    """What a command works with; nothing is made before it is needed."""

    flags: Flags
    words: "Words"
    console: "Console"
    hidden: set[str] = field(default_factory=set)  #: Shell variables that stand for secrets.
    _settings: "Settings | None" = None
    _client: "Client | None" = None

    @classmethod
    def of(cls, flags: Flags) -> "Cli":
        """Make it from the flags and the environment."""
        from wharfage_client.console import Console
        from wharfage_client.words import Words, language_of

        words = Words(language_of(os.environ))
        return cls(flags=flags, words=words, console=Console(words, as_json=flags.as_json))

    @property
    def settings(self) -> "Settings":
        """Which server, as whom. Raises: LocalError."""
        if self._settings is None:
            from wharfage_client.settings import resolve

            self._settings = resolve(
                url=self.flags.url, profile=self.flags.profile, environ=os.environ
            )
        return self._settings

    @property
    def client(self) -> "Client":
        """The API. Raises: LocalError."""
        if self._client is None:
            self._client = self._connected()
        return self._client

    @property
    def asks(self) -> bool:
        """Tell whether there is somebody who can be asked."""
        return sys.stdin.isatty() and not (self.flags.as_json or self.flags.curl)

    def agreed(self, question: str, *, yes: bool) -> bool:
        """Ask before what cannot be undone. Raises: LocalError, where nobody can be asked."""
        if yes or self.flags.as_json or self.flags.curl:
            return True
        if not self.asks:
            from wharfage_client.errors import LocalError

            raise LocalError("prompt_needed")
        return click.confirm(question, err=True)

    def find(self, prefix: str, kind: str, path: str) -> str:
        """Find the id that *prefix* is the unique beginning of, with or without its `job_`.

        Raises: LocalError, WharfageError.
        """
        begins = prefix if prefix.startswith(f"{kind}_") else f"{kind}_{prefix}"
        if not begins.isascii() or not begins.replace("_", "").isalnum():
            raise _unknown(prefix)  # It goes into a path.
        if len(begins) >= len(kind) + 1 + _ID_CHARACTERS or self.flags.curl:
            return begins
        newest = self.client.newest(path, most=SEARCHED_MAX)
        found = [item["id"] for item in newest if item["id"].startswith(begins)]
        if not found:
            raise _unknown(prefix)
        if len(found) > 1:
            from wharfage_client.errors import LocalError

            examples = ", ".join(found[:4])
            raise LocalError("ambiguous_id", prefix=prefix, count=len(found), examples=examples)
        return str(found[0])

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            self._client.close()

    def _connected(self) -> "Client":
        from wharfage_client.api import Client, FixedToken

        settings = self.settings
        url = settings.server
        token = settings.token
        if self.flags.curl:
            from wharfage_client.curl import Curl

            sender = Curl(url, language=self.words.language, hidden=self.hidden)
            return Client(url, keeper=FixedToken("$WHARFAGE_TOKEN"), sender=sender)
        keeper = FixedToken(token) if token else settings.session
        return Client(url, keeper=keeper, language=self.words.language)


def _unknown(prefix: str) -> "LocalError":
    from wharfage_client.errors import LocalError

    return LocalError("id_not_found", prefix=prefix, looked_at=SEARCHED_MAX)


def cli_of(ctx: click.Context) -> Cli:
    """Make what a command works with."""
    cli = Cli.of(ctx.ensure_object(Flags))
    ctx.call_on_close(cli.close)
    return cli


class Read(click.ParamType):  # type: ignore[type-arg] # Generic only from click 8.5 on.
    """Reads an argument by a function that raises ValueError for what it cannot read."""

    def __init__(self, name: str, read: Callable[[str], Any], example: str) -> None:
        self.name = name
        self._read = read
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError:
            self.fail(f"{value!r} is not {self._example}", param, ctx)


YUAN = Read("YUAN", fen, "an amount in yuan, as 50 or 12.34")
