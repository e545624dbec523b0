"""Templates: the operator's prepared jobs, defined, looked at, retired."""

from datetime import datetime

from msgspec.structs import replace

from wharfage.domain.account import Principal
from wharfage.domain.errors import NotFound
from wharfage.domain.event import Event
from wharfage.domain.input_schema import ObjectSchema
from wharfage.domain.membership import Title
from wharfage.domain.price import Resources
from wharfage.domain.record import View
from wharfage.domain.template import Result, Template, TemplateBody, TemplateHead
from wharfage.items import change
from wharfage.operations.keys import Made
from wharfage.ports import Page, Ports
from wharfage.schema import TEMPLATE, TEMPLATE_VERSION
from wharfage.transaction import Action, Put, absent

_ALL = "templates"  #: The partition that all of them are in.


class TemplateView(View, frozen=True, kw_only=True):
    """A template as customers see it: what it takes, what it gives, what it costs."""

    name: str
    template_version: int
    title: Title
    units: int
    price_fen: int
    image: str
    resources: Resources
    max_run_s: int
    input: ObjectSchema
    result: Result | None
    created_at: datetime
    retired_at: datetime | None

    @classmethod
    def of(cls, template: Template, head: TemplateHead) -> "TemplateView":
        """Show a version of a template."""
        body = template.body
        return cls(
            name=template.name,
            template_version=template.version,
            title=body.title,
            units=body.units,
            price_fen=body.price_fen,
            image=body.image,
            resources=body.resources,
            max_run_s=body.max_run_s,
            input=body.input,
            result=body.result,
            created_at=template.created_at,
            retired_at=head.retired_at,
        )


def define(ports: Ports, who: Principal, body: TemplateBody) -> Made[TemplateView]:
    """Make a template, or its next version; what is already the newest makes nothing.

    A retired template can be used again by defining it again.
    Raises: Invalid, StateConflict if somebody else has just defined it.
    """
    body.check(ports.terms.registries)
    head = ports.store.get(TEMPLATE.key(name=body.name))
    if head and head.newest.body == body and head.retired_at is None:
        return Made(value=TemplateView.of(head.newest, head), replayed=True)
    template = Template(
        name=body.name,
        version=head.newest.version + 1 if head else 1,
        body=body,
        created_at=ports.clock.now(),
        created_by=who.account,
    )
    if head is None:
        after = TemplateHead(name=body.name, newest=template)
        written: Action = Put(after, when=[absent()])
    else:
        after = replace(head, newest=template, retired_at=None, version=head.version + 1)
        written = change(head, after)
    ports.store.commit(
        written, Put(template, when=[absent()]), _event(ports, who, template, "template.defined")
    )
    return Made(value=TemplateView.of(template, after))


def retire(ports: Ports, who: Principal, name: str) -> TemplateView:
    """Take a template away from new jobs; those there are go on. Raises: NotFound."""
    head = ports.store.get(TEMPLATE.key(name=name))
    if head is None:
        raise NotFound(what="template")
    if head.retired_at is not None:
        return TemplateView.of(head.newest, head)
    retired = replace(head, retired_at=ports.clock.now(), version=head.version + 1)
    ports.store.commit(change(head, retired), _event(ports, who, head.newest, "template.retired"))
    return TemplateView.of(head.newest, retired)


def find(ports: Ports, name: str, version: int | None = None) -> TemplateView:
    """Show the newest version of a template, or one of them. Raises: NotFound."""
    head, template = ports.store.get_many(
        [TEMPLATE.key(name=name), TEMPLATE_VERSION.key(name=name, version=version or 1)]
    )
    if head is None or (version is not None and template is None):
        raise NotFound(what="template")
    return TemplateView.of(template if version is not None else head.newest, head)


def find_all(
    ports: Ports, *, after: str | None, limit: int, retired: bool = False
) -> Page[TemplateView]:
    """List the newest version of each template that can be used, or also the *retired* ones."""
    page = ports.store.query(TEMPLATE, _ALL, after=after, limit=limit)
    views = [
        TemplateView.of(head.newest, head)
        for head in page.items
        if retired or head.retired_at is None
    ]
    return Page(tuple(views), page.next)


def _event(ports: Ports, who: Principal, template: Template, kind: str) -> Put:
    event = Event(
        id=ports.ids.new("evt"),
        subject=f"template:{template.name}",
        account=who.account,
        kind=kind,
        at=ports.clock.now(),
        actor=who.account,
        data={"template_version": template.version},
    )
    return Put(event, when=[absent()], proves=True)
