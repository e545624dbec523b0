"""Jobs, looked at and stopped: ps, show, logs, stop."""

from datetime import UTC, datetime

import click

from wharfage_client.money import price
from wharfage_client.quantities import duration
from wharfage_client.verbs import SEARCHED_MAX, Cli, Verb, cli_of
from wharfage_client.views import Job

_PATH = "/v1/jobs"


@click.command(cls=Verb)
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that have ended.")
@click.option("-n", "--limit", type=click.IntRange(1, SEARCHED_MAX), default=20, show_default=True)
@click.pass_context
def ps(ctx: click.Context, *, everything: bool, limit: int) -> None:
    """List jobs that have not ended, newest first."""
    cli = cli_of(ctx)
    newest = cli.client.jobs.newest(most=limit if everything else SEARCHED_MAX)
    found = [job for job in newest if everything or not job["is_terminal"]][:limit]
    if cli.flags.as_json:
        cli.console.emit({"items": found})
        return
    rows = [
        (
            job["id"],
            job["image"],
            cli.words.known("status", job["status"]),
            _age(job["created_at"]),
            "" if job["exit_code"] is None else job["exit_code"],
            price(job["cost_fen"], job["cost_units"]),
        )
        for job in found
    ]
    cli.console.table(["job", "image", "status", "age", "exit", "cost"], rows)


@click.command(cls=Verb)
@click.argument("job")
@click.pass_context
def show(ctx: click.Context, *, job: str) -> None:
    """Show a job: where it is, why, and what it cost."""
    cli = cli_of(ctx)
    found = cli.client.jobs.get(cli.find(job, "job", _PATH))
    if cli.flags.as_json:
        cli.console.emit(found)
        return
    cli.console.facts(_facts(cli, found))
    if found["attempt"] > 1:
        attempts = cli.client.jobs.attempts(found["id"])
        rows = [
            (
                each["attempt"],
                cli.words.known("status", each["status"]),
                each["host"],
                each["reason_code"],
                each["exit_code"],
                price(each["cost_fen"], each["cost_units"]),
            )
            for each in attempts
        ]
        cli.console.table(["attempt", "status", "host", "reason", "exit", "cost"], rows)


@click.command(cls=Verb)
@click.option("-f", "--follow", is_flag=True, help="Go on until the container has ended.")
@click.option("--since", metavar="CURSOR", help="Only what came after; --json gives cursors.")
@click.argument("job")
@click.pass_context
def logs(ctx: click.Context, *, follow: bool, since: str | None, job: str) -> None:
    """Write what a container wrote, byte for byte, each stream to its own."""
    from wharfage_client.follow import write_page

    cli = cli_of(ctx)
    job_id = cli.find(job, "job", _PATH)
    for page in cli.client.jobs.log_pages(job_id, cursor=since, follow=follow):
        write_page(cli.console, page)
        if cli.flags.as_json:
            cli.console.emit(
                {
                    "type": "page",
                    "attempt": page.attempt,
                    "next_cursor": page.next_cursor,
                    "complete": page.complete,
                    "truncated": page.truncated,
                    "gap": page.gap,
                }
            )


@click.command(cls=Verb)
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.pass_context
def stop(ctx: click.Context, *, jobs: tuple[str, ...]) -> None:
    """Cancel jobs. One that has ended stays as it ended."""
    cli = cli_of(ctx)
    # All are found before one is stopped, so that a typo stops nothing.
    ids = [cli.find(each, "job", _PATH) for each in jobs]
    stopped = [cli.client.jobs.cancel(each) for each in ids]
    if cli.flags.as_json:
        cli.console.emit({"items": stopped})
        return
    for job in stopped:
        cli.console.say(f"{job['id']}  {cli.words.known('status', job['status'])}")


def _facts(cli: Cli, job: Job) -> dict[str, object]:
    words = cli.words
    waiting, reason = job["waiting_for"], job["reason_code"]
    resources = ", ".join(f"{name} {value}" for name, value in job["resources"].items())
    return {
        "id": job["id"],
        "image": job["image"],
        "digest": job["image_digest"],
        "status": words.known("status", job["status"]),
        "waiting": waiting and words.known("waiting", waiting["reason"], **waiting["numbers"]),
        "reason": reason and f"{words.known('reason', reason)} ({reason}, {job['reason_class']})",
        "exit code": job["exit_code"],
        "signal": job["signal"],
        "out of memory": "yes" if job["oom"] else None,
        "attempt": job["attempt"],
        "host": job["host"],
        "pool": job["pool"],
        "resources": resources,
        "time limit": duration(job["max_run_s"]),
        "held": price(job["hold_fen"], job["hold_units"]),
        "cost": price(job["cost_fen"], job["cost_units"]),
        "created": job["created_at"],
        "started": job["started_at"],
        "ended": job["ended_at"],
    }


def _age(moment: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    return duration(max(0.0, seconds))
