"""Bad weather: what happens to the store's calls during one move, drawn as a spell."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hypothesis import strategies as st

from wharfage.adapters.faults import FaultSource, StoreFault, seeded
from wharfage.domain.errors import Refused, Unavailable


class Sky(StrEnum):
    """The kinds of weather."""

    CALM = "calm"  #: Nothing happens.
    ROUGH = "rough"  #: Conflicts, throttles and lost answers, which patience outlasts.
    DEAF = "deaf"  #: After some writes they are done or not, and no answer ever comes.
    DARK = "dark"  #: After some calls the store answers nothing more, as if the caller had died.


@dataclass(frozen=True, slots=True)
class Spell:
    """The weather of one move."""

    sky: Sky = Sky.CALM
    seed: int = 0
    calls: int = 0  #: How many calls are answered before it gets deaf or dark.


CALM = Spell()
SPELLS = st.one_of(
    st.just(CALM),
    st.just(CALM),
    st.builds(
        Spell,
        sky=st.sampled_from([Sky.ROUGH, Sky.DEAF, Sky.DARK]),
        seed=st.integers(0, 999),
        calls=st.integers(0, 6),
    ),
)
_ROUGH = dict.fromkeys(StoreFault, 0.12)
_DEAF = {StoreFault.LOST_AFTER: 0.5, StoreFault.LOST_BEFORE: 0.5}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a caller was answered: a value, a refusal, or nothing that says which."""

    value: Any = None
    refusal: Refused | None = None

    @property
    def result(self) -> Any:
        """Return the value, which must be there."""
        assert self.refusal is None, repr(self.refusal)
        return self.value

    @property
    def unknown(self) -> bool:
        """Tell whether the move may have been done, in part or whole, or not at all."""
        return isinstance(self.refusal, Unavailable)


class Weather:
    """A fault source that is calm except during a move; another move may come in between."""

    def __init__(self) -> None:
        self._source: FaultSource | None = None
        self._between: Callable[[], None] | None = None

    def __call__(self, call: str) -> StoreFault | None:
        if call == "write" and self._between is not None:
            between, self._between = self._between, None
            source, self._source = self._source, None
            between()
            self._source = source
        return self._source(call) if self._source else None

    def during(
        self, spell: Spell, move: Callable[[], Any], *, between: Callable[[], None] | None = None
    ) -> Outcome:
        """Carry out a move in this weather; *between* comes right before its first write."""
        with self._lasting(spell, between):
            try:
                return Outcome(move())
            except Refused as refusal:
                return Outcome(refusal=refusal)

    @contextmanager
    def _lasting(self, spell: Spell, between: Callable[[], None] | None) -> Iterator[None]:
        before = self._source, self._between
        self._source, self._between = _source(spell), between
        try:
            yield
        finally:
            self._source, self._between = before


def _source(spell: Spell) -> FaultSource | None:
    rough = seeded(random.Random(spell.seed), _ROUGH)
    deaf = seeded(random.Random(spell.seed), _DEAF)
    answered = iter(range(spell.calls))
    match spell.sky:
        case Sky.CALM:
            return None
        case Sky.ROUGH:
            return rough
        case Sky.DEAF:
            return lambda call: (
                deaf(call) if call == "write" and next(answered, None) is None else None
            )
        case Sky.DARK:
            return lambda _: None if next(answered, None) is not None else StoreFault.THROTTLE
