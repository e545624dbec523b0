"""Health: what the product depends on, and how each part is."""

from enum import StrEnum

from wharfage.domain import limits
from wharfage.domain.errors import Refused
from wharfage.domain.record import View
from wharfage.ports import Ports
from wharfage.schema import WATCH


class Condition(StrEnum):
    """How a part is."""

    OK = "ok"  #: It does its duty.
    LATE = "late"  #: It has not done its duty for longer than it should take.
    AWAY = "away"  #: It does not answer.
    UNKNOWN = "unknown"  #: Nothing is known of it yet.


class Health(View, frozen=True, kw_only=True):
    """The product as a whole, and its parts. `late` parts catch up by themselves."""

    status: Condition
    store: Condition
    sweep: Condition
    sweep_age_seconds: int | None


def check(ports: Ports) -> Health:
    """Look at every part, in one read."""
    store, sweep, age = Condition.OK, Condition.UNKNOWN, None
    try:
        watch = ports.store.get(WATCH.key(name="watch"))
    except Refused:
        watch, store = None, Condition.AWAY
    if watch is not None and watch.swept_at is not None:
        age = max(0, int((ports.clock.now() - watch.swept_at).total_seconds()))
        sweep = Condition.LATE if age > limits.SWEEP_LATE_SECONDS else Condition.OK
    return Health(
        status=Condition.AWAY if store is Condition.AWAY else sweep,
        store=store,
        sweep=sweep,
        sweep_age_seconds=age,
    )
