"""Jobs: run a container to its end, look at it, read its log, stop it; files and templates."""

from msgspec.structs import replace

from wharfage.domain import limits, rate
from wharfage.domain.event import Event
from wharfage.domain.job_view import AttemptView, JobView
from wharfage.domain.log_view import LogPage
from wharfage.domain.output import OutputsView
from wharfage.domain.spec import Submission, TemplateName, Version
from wharfage.domain.template import TemplateBody
from wharfage.domain.upload import UploadRequest, UploadView
from wharfage.messages import Attempt as AttemptNumber
from wharfage.messages import Count
from wharfage.operations import jobs, logs, outputs, templates, uploads
from wharfage.operations.templates import TemplateView
from wharfage.web import Accepted, App, Created, Limit, Listing, Wait, admin, signed_in

app = App("jobs")


@app.route("/v1/jobs", methods=["POST"], auth=signed_in(), idempotent=True, rates=[rate.SUBMITS])
def submit(body: Submission) -> Accepted[JobView]:
    """Hold the price, record the job, ring the pool. By its image, or as a template's."""
    made = jobs.submit(app.ports, app.principal, body, key=app.idempotency_key)
    return Accepted(made.value, location=f"/v1/jobs/{made.value.id}", replayed=made.replayed)


@app.route("/v1/jobs", methods=["GET"], auth=signed_in())
def index(limit: Limit = 20, cursor: str | None = None) -> Listing[JobView]:
    """List your jobs, newest first."""
    page = jobs.find_all(app.ports, app.principal, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/jobs/{job_id}", methods=["GET"], auth=signed_in())
def show(job_id: str, wait: Wait = 0, version: Count | None = None) -> JobView:
    """Show a job. With `wait`, wait for one newer than `version`, or than the job is now."""
    if wait:
        _wait_for_change(job_id, wait, version)
    return jobs.find(app.ports, app.principal, job_id)


@app.route("/v1/jobs/{job_id}/cancel", methods=["POST"], auth=signed_in())
def cancel(job_id: str) -> Accepted[JobView]:
    """Stop a job. One that has ended stays as it ended."""
    return Accepted(jobs.cancel(app.ports, app.principal, job_id), location=f"/v1/jobs/{job_id}")


@app.route("/v1/jobs/{job_id}/attempts", methods=["GET"], auth=signed_in())
def attempts(job_id: str) -> Listing[AttemptView]:
    """Show every attempt of a job, oldest first."""
    return app.listing(jobs.list_attempts(app.ports, app.principal, job_id), None)


@app.route("/v1/jobs/{job_id}/events", methods=["GET"], auth=signed_in())
def events(job_id: str, limit: Limit = 20, cursor: str | None = None) -> Listing[Event]:
    """Show what happened to a job, oldest first."""
    page = jobs.list_events(app.ports, app.principal, job_id, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/jobs/{job_id}/logs", methods=["GET"], auth=signed_in())
def read_logs(
    job_id: str, cursor: str | None = None, attempt: AttemptNumber | None = None, wait: Wait = 0
) -> LogPage:
    """Read the log of a job's `attempt`, or of its current one, live or afterwards.

    With `wait`, wait until there is more.
    """
    page = app.wait_for(
        lambda: logs.read(app.ports, app.principal, job_id, cursor=cursor, attempt=attempt),
        lambda page: bool(page.items) or page.complete,
        wait,
    )
    return replace(page, next_cursor=app.sealed(page.next_cursor))


@app.route("/v1/jobs/{job_id}/outputs", methods=["GET"], auth=signed_in())
def list_outputs(job_id: str, attempt: AttemptNumber | None = None, wait: Wait = 0) -> OutputsView:
    """List the files that a job's `attempt`, or its current one, left, with a link to each.

    With `wait`, wait until nothing more will come.
    """
    return app.wait_for(
        lambda: outputs.read(app.ports, app.principal, job_id, attempt=attempt),
        lambda found: found.complete,
        wait,
    )


@app.route("/v1/uploads", methods=["POST"], auth=signed_in(), idempotent=True, rates=[rate.UPLOADS])
def upload(body: UploadRequest) -> Created[UploadView]:
    """Make room for a file, and get a link to send its bytes to."""
    made = uploads.create(app.ports, app.principal, body, key=app.idempotency_key)
    location = f"/v1/uploads/{made.value.id}"
    return Created(made.value, location=location, replayed=made.replayed)


@app.route("/v1/uploads/{upload_id}", methods=["GET"], auth=signed_in())
def show_upload(upload_id: str) -> UploadView:
    """Show a file you have announced, with a new link to send its bytes to."""
    return uploads.find(app.ports, app.principal, upload_id)


@app.route("/v1/templates", methods=["GET"], auth=signed_in())
def list_templates(limit: Limit = 20, cursor: str | None = None) -> Listing[TemplateView]:
    """List the templates that jobs can be made of, by name."""
    page = templates.find_all(app.ports, after=cursor, limit=limit)
    return app.listing(page.items, page.next)


@app.route("/v1/templates/{template}", methods=["GET"], auth=signed_in())
def show_template(template: TemplateName, version: Version | None = None) -> TemplateView:
    """Show the newest version of a template, or one `version` of it."""
    return templates.find(app.ports, template, version)


@app.route("/v1/admin/templates", methods=["GET"], auth=admin())
def list_all_templates(limit: Limit = 20, cursor: str | None = None) -> Listing[TemplateView]:
    """List all templates by name, also the retired ones."""
    page = templates.find_all(app.ports, after=cursor, limit=limit, retired=True)
    return app.listing(page.items, page.next)


@app.route(
    "/v1/admin/templates",
    methods=["POST"],
    auth=admin(),
    body_bytes_max=limits.TEMPLATE_BYTES_MAX,
)
def define_template(body: TemplateBody) -> Created[TemplateView]:
    """Make a template, or its next version. What is already the newest version makes nothing."""
    made = templates.define(app.ports, app.principal, body)
    return Created(made.value, location=f"/v1/templates/{body.name}", replayed=made.replayed)


@app.route("/v1/admin/templates/{template}/retire", methods=["POST"], auth=admin())
def retire_template(template: TemplateName) -> TemplateView:
    """Take a template away from new jobs; those there are go on."""
    return templates.retire(app.ports, app.principal, template)


def _wait_for_change(job_id: str, seconds: int, known: int | None) -> None:
    def read() -> tuple[int, bool]:
        return jobs.version(app.ports, app.principal, job_id)

    since = read()[0] if known is None else known
    app.wait_for(read, lambda seen: seen[0] > since or seen[1], seconds)
