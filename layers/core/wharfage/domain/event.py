"""What happened to a thing: who did what, when, immutable."""

from datetime import datetime

from wharfage.domain.record import Record


class Event(Record, frozen=True, kw_only=True):
    """One line of a thing's timeline. *id* sorts by time; *subject* is the thing's id."""

    id: str
    subject: str
    account: str
    kind: str
    at: datetime
    actor: str
    data: dict[str, str | int | bool] = {}
