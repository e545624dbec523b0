"""The `wharfage` command: finds the command that was typed, runs it, turns errors into words."""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from wharfage_client import __version__
from wharfage_client.verbs import Flags, common_options

#: Where each command lives, in the order of the help.
SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Work": {
        "run": "wharfage_client.commands.run:run",
        "ps": "wharfage_client.commands.jobs:ps",
        "show": "wharfage_client.commands.jobs:show",
        "logs": "wharfage_client.commands.jobs:logs",
        "stop": "wharfage_client.commands.jobs:stop",
        "upload": "wharfage_client.commands.files:upload",
        "outputs": "wharfage_client.commands.files:outputs",
        "templates": "wharfage_client.commands.memberships:templates",
    },
    "Money": {
        "topup": "wharfage_client.commands.money:topup",
        "membership": "wharfage_client.commands.memberships:membership",
        "channels": "wharfage_client.commands.money:channels",
        "quota": "wharfage_client.commands.money:quota",
        "ledger": "wharfage_client.commands.money:ledger",
        "usage": "wharfage_client.commands.statements:usage",
        "statement": "wharfage_client.commands.statements:statement",
        "invoice": "wharfage_client.commands.invoices:invoice",
        "orders": "wharfage_client.commands.money:orders",
        "refunds": "wharfage_client.commands.refunds:refunds",
        "prices": "wharfage_client.commands.money:prices",
    },
    "Account": {
        "register": "wharfage_client.commands.account:register",
        "login": "wharfage_client.commands.account:login",
        "logout": "wharfage_client.commands.account:logout",
        "me": "wharfage_client.commands.account:me",
    },
    "Operator": {
        "hosts": "wharfage_client.commands.hosts:hosts",
        "users": "wharfage_client.commands.users:users",
        "disputes": "wharfage_client.commands.disputes:disputes",
        "reviews": "wharfage_client.commands.checks:reviews",
        "notify": "wharfage_client.commands.checks:notify",
        "reconcile": "wharfage_client.commands.books:reconcile",
        "report": "wharfage_client.commands.books:report",
    },
    "This machine": {
        "up": "wharfage_client.commands.stack:up",
        "pay": "wharfage_client.commands.pay:pay",
        "down": "wharfage_client.commands.stack:down",
        "open": "wharfage_client.commands.machine:open_console",
        "doctor": "wharfage_client.commands.machine:doctor",
        "completion": "wharfage_client.commands.machine:completion",
    },
}


class Commands(click.Group):
    """All commands; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for section in SECTIONS.values():
            if place := section.get(cmd_name):
                module, _, name = place.partition(":")
                command: click.Command = getattr(import_module(module), name)
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, self.list_commands(ctx))
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"There is no command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS.items():
            found = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl(
                    [(name, each.get_short_help_str(70)) for name, each in found if each]
                )


@click.group(
    cls=Commands,
    params=common_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 sign in, 5 no balance, "
    "6 conflict, 7 temporary; `run` gives the container's own, or 124 timed out, 125 ours, "
    "130 cancelled.",
)
@click.version_option(__version__, message="%(version)s")
def wharfage(**_: Any) -> None:
    """Containers by the second, paid beforehand: run an image, watch it, pay for what it used."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    flags = Flags()
    try:
        code = wharfage.main(typed, prog_name="wharfage", standalone_mode=False, obj=flags)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.Abort:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is to be said, also not at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the edge of the process: `told` lets no fault hide.
        from wharfage_client.edge import told

        return told(error, flags, typed)


if __name__ == "__main__":
    sys.exit(main())
