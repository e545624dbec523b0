"""Files in, files out: `wharfage upload`, `wharfage outputs`."""

from itertools import zip_longest
from pathlib import Path

import click

from wharfage_client.verbs import Verb, cli_of

_PATH = "/v1/jobs"


@click.command(cls=Verb)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=Path)
@click.pass_context
def upload(ctx: click.Context, *, files: tuple[Path, ...]) -> None:
    """Upload files for jobs to use, and print their ids.

    They are removed after a day, unless a job uses them.
    """
    from wharfage_client.files import send

    cli = cli_of(ctx)
    for path in files:
        made = send(cli.client, path)
        if cli.flags.as_json:
            cli.console.emit({name: made[name] for name in ("id", "name", "size_bytes", "sha256")})
        else:
            cli.console.say(made["id"])


@click.command(cls=Verb)
@click.argument("job")
@click.option("--to", type=Path, metavar="DIR", help="Save the files in this folder.")
@click.option("--wait/--no-wait", default=True, help="Wait until all have come.")
@click.pass_context
def outputs(ctx: click.Context, *, job: str, to: Path | None, wait: bool) -> int:
    """List the files that JOB left; with --to, save them. The exit code is 1 if one is missing."""
    from wharfage_client.api import WAIT_SECONDS
    from wharfage_client.files import save

    cli = cli_of(ctx)
    jobs, job_id = cli.client.jobs, cli.find(job, "job", _PATH)
    found = jobs.outputs(job_id, wait_seconds=WAIT_SECONDS if wait else 0)
    while wait and not found["complete"]:
        found = jobs.outputs(job_id, wait_seconds=WAIT_SECONDS)
    saved = [save(item, to) for item in found["items"]] if to is not None else []
    if cli.flags.as_json:
        cli.console.emit(dict(found))
    else:
        rows = [
            (item["path"], item["size_bytes"], item["sha256"], str(place or ""))
            for item, place in zip_longest(found["items"], saved)
        ]
        cli.console.table(["path", "bytes", "sha256", "saved as"], rows)
        for each in found["missing"]:
            reason = cli.words.known("missing", each["reason"])
            cli.console.note(cli.words("output.missing", path=each["path"], reason=reason))
    return 1 if found["missing"] else 0
