"""What every stored thing and every message has in common."""

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A stored thing. Unknown attributes are ignored, so an older reader can read a newer row."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client or an agent sends. Unknown fields are refused, so a typo cannot be silent."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a client or an agent is answered."""
