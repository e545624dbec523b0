"""One guard less: what a mutation is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """One guard less. *place* is `module:function`, with the class in front for a method."""

    name: str
    place: str
    old: str
    new: str
