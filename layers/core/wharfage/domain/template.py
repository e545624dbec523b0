"""Job templates: prepared jobs with a fixed price, defined and versioned by the operator."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from wharfage.domain import limits
from wharfage.domain.errors import Fault, Invalid
from wharfage.domain.input_schema import ObjectSchema, input_faults, schema_faults
from wharfage.domain.membership import Title
from wharfage.domain.price import Resources
from wharfage.domain.record import Body, Record
from wharfage.domain.spec import (
    Env,
    Image,
    JobSpec,
    Seconds,
    StopGrace,
    Submission,
    TemplateName,
    Words,
)

Units = Annotated[int, Meta(ge=1, le=limits.UNITS_MAX)]
MEDIA_TYPE = r"^[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}$(?!\n)"
#: Outputs lie under the attempt's own volume and nowhere else.
OUTPUT_PATH = r"^/wharfage/output(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}){1,8}$(?!\n)"

#: What a submission may say beside the template's name: where it waits, its input and files.
_FREE = frozenset(
    {"template", "template_version", "input", "files", "queue_ttl_s", "labels", "pool", "priority"}
)


class Result(Body, frozen=True, kw_only=True):
    """What a template's job leaves behind when it succeeds."""

    path: Annotated[str, Meta(pattern=OUTPUT_PATH)]
    media_type: Annotated[str, Meta(pattern=MEDIA_TYPE)]


class TemplateBody(Body, frozen=True, kw_only=True):
    """A template as the operator defines it: one price in units, one in fen, and what runs."""

    name: TemplateName
    title: Title
    units: Units
    price_fen: Annotated[int, Meta(ge=1, le=limits.TOPUP_FEN_MAX)]
    image: Image
    command: Words | None = None
    entrypoint: Words | None = None
    env: Env = {}
    resources: Resources = Resources()
    max_run_s: Seconds = 3600
    stop_grace_s: StopGrace = 10
    input: ObjectSchema = ObjectSchema()
    result: Result | None = None

    def check(self, registries: frozenset[str]) -> None:
        """Refuse what no job could be made of. Raises: Invalid, with every fault found."""
        faults = [*schema_faults(self.input, "/input"), *_spec_faults(self, registries)]
        if faults:
            raise Invalid(faults=tuple(faults))


class Template(Record, frozen=True, kw_only=True):
    """One version of a template; immutable, so that a job says for ever what it was."""

    name: str
    version: int
    body: TemplateBody
    created_at: datetime
    created_by: str


class TemplateHead(Record, frozen=True, kw_only=True):
    """The newest version of a template, and whether it can still be used."""

    name: str
    newest: Template
    retired_at: datetime | None = None
    version: int = 1  #: Of this row; a template's own version is the newest's.


@dataclass(frozen=True, kw_only=True, slots=True)
class Fare:
    """What a template's job costs, whole, from one source: units of *period*, or the balance."""

    template: str
    version: int
    units: int
    price_fen: int
    period: datetime | None = None  #: The beginning of the period that pays; None: the balance.

    @property
    def hold_fen(self) -> int:
        """Return the money to set aside."""
        return 0 if self.period else self.price_fen

    @property
    def hold_units(self) -> int:
        """Return the units to set aside."""
        return self.units if self.period else 0


def fare(template: Template, period: datetime | None) -> Fare:
    """Say what a job of this template costs when it is paid from *period* or the balance."""
    return Fare(
        template=template.name,
        version=template.version,
        units=template.body.units,
        price_fen=template.body.price_fen,
        period=period,
    )


def job_spec(template: Template, asked: Submission) -> JobSpec:
    """Build the job that a submission asks of a template.

    Raises: Invalid, for what the template decides and for a wrong input.
    """
    value: dict[str, Any] = asked.input or {}
    faults = [*_taken_faults(asked), *input_faults(template.body.input, value)]
    if faults:
        raise Invalid(faults=tuple(faults))
    body = template.body
    return JobSpec(
        image=body.image,
        command=body.command,
        entrypoint=body.entrypoint,
        env=body.env,
        resources=body.resources,
        max_run_s=body.max_run_s,
        stop_grace_s=body.stop_grace_s,
        queue_ttl_s=asked.queue_ttl_s,
        labels=asked.labels,
        pool=asked.pool,
        priority=asked.priority,
        input=value,
        files=asked.files,
        outputs=(body.result.path,) if body.result else (),
    )


def _taken_faults(asked: Submission) -> Iterator[Fault]:
    blank = Submission()
    for name in Submission.__struct_fields__:
        if name not in _FREE and getattr(asked, name) != getattr(blank, name):
            message = "The template decides this."
            yield Fault(pointer=f"/{name}", code="template", message=message)


def _spec_faults(body: TemplateBody, registries: frozenset[str]) -> tuple[Fault, ...]:
    spec = JobSpec(image=body.image, command=body.command, entrypoint=body.entrypoint, env=body.env)
    try:
        spec.check(registries)
    except Invalid as refusal:
        return refusal.faults
    return ()
