"""Money in doubt, at every transaction: what is put off was asked about first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tests.simulation.store import Written
from tests.simulation.tills import Tills
from tests.simulation.trace import Violation
from wharfage.transaction import Item

CALL_SECONDS_MAX = 5.0  #: Who asked for another reason may have begun just before it was due.


@dataclass
class AskingChecks:
    """Looks at each applied transaction: whose channel should have been asked by now."""

    tills: Tills
    now: Callable[[], datetime]
    seconds: Callable[[], float]

    def check(self, written: Written) -> None:
        """Hold each order and refund that is put off against the calls that were really made."""
        for _, before, after in written:
            if before is None or after is None or not self._put_off(before, after):
                continue
            due = datetime.fromisoformat(before["due_at"])
            asked = self.tills[after["channel"]].asked.get(after["id"])
            late = (self.now() - due).total_seconds()
            if asked is None or self.seconds() - asked > late + CALL_SECONDS_MAX:
                what = f"{after['id']} is put off, and {after['channel']} was not asked about it"
                raise Violation("M7", after["id"], what)

    def _put_off(self, before: Item, after: Item) -> bool:
        """Tell whether a due thing in doubt is due later, by a decision on what a channel said.

        A sweep that could not even ask pushes a thing on as it is, under its old version.
        """
        record = after["record"]
        if record == "order":
            decided = (before["state"], after["state"]) == ("open", "open")
            decided = decided and before["version"] != after["version"]
        else:
            decided = record == "refund" and after.get("looks", 0) > before.get("looks", 0)
        if not decided or "due_at" not in before or "due_at" not in after:
            return False
        now = self.now()
        was, comes = (datetime.fromisoformat(each["due_at"]) for each in (before, after))
        return was <= now < comes
