"""Memberships and templates of a simulated world: what there is to buy, and who has bought before.

Some accounts come with a membership whose month ends while the world is looked at, so that
holds, renewals and write-offs meet its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from tests.fixtures.money import OPERATOR
from tests.simulation.engine import LOCAL_IMAGE, Program
from tests.simulation.people import drawn_program
from wharfage.domain.account import Principal
from wharfage.domain.input_schema import IntegerSchema, ObjectSchema
from wharfage.domain.membership import Plan, Title, boundary
from wharfage.domain.order import OrderKind
from wharfage.domain.price import Resources
from wharfage.domain.template import TemplateBody
from wharfage.operations import orders, payments, templates
from wharfage.operations.orders import OpenOrder
from wharfage.ports import Ports

if TYPE_CHECKING:
    from tests.simulation.alipay import SimAlipay

#: So few units that they run out, and so cheap that it is bought.
PLANS: Mapping[str, Plan] = {
    "basic": Plan(name="basic", title=Title(en="Basic", zh="基础"), price_fen=30, units=7)
}
MONTH = OpenOrder(kind=OrderKind.MEMBERSHIP, plan="basic")
TEMPLATES = ("one", "two", "three")


@dataclass(frozen=True, slots=True)
class _Past:
    """A clock that stands still at a moment before the world."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment


def define(ports: Ports, chance: Random) -> dict[str, list[Program]]:
    """Define the templates of a world; what each of their attempts does, by the plan they name."""
    programs = {}
    for name in TEMPLATES:
        max_run = chance.choice((5, 20))
        body = TemplateBody(
            name=name,
            title=Title(en=name, zh="模板"),
            units=chance.choice((1, 2, 3)),
            price_fen=chance.choice((5, 12)),
            image=LOCAL_IMAGE,
            command=("work",),
            env={"PLAN": f"template-{name}"},
            resources=Resources(cpu_millis=100, memory_mb=16, disk_mb=16),
            max_run_s=max_run,
            stop_grace_s=chance.choice((1, 3)),
            input=ObjectSchema(properties={"size": IntegerSchema(minimum=1, maximum=9)}),
        )
        templates.define(ports, OPERATOR, body)
        programs[f"template-{name}"] = [drawn_program(chance, max_run, 16) for _ in range(8)]
    return programs


def join_before(
    ports: Ports, alipay: "SimAlipay", who: Principal, chance: Random, seconds: float
) -> None:
    """Have somebody buy months whose first one ends within the world's *seconds*, or none."""
    if chance.random() < 0.4:
        return
    ends_at = ports.clock.now() + timedelta(milliseconds=int(1000 * seconds * chance.random()))
    anchor = ends_at
    while boundary(anchor, who.time_zone, 1) > ends_at:
        anchor -= timedelta(days=1)
    past = replace(ports, clock=_Past(anchor))
    for number in range(chance.choice((1, 1, 2))):
        order = orders.open(past, who, MONTH, key=f"before-{number}").value
        payments.receive(past, alipay.name, alipay.paid_before(order.id, order.amount_fen))
