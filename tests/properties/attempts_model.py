"""The model of attempts: jobs and hosts, every move in any order, and in the end all must rest."""

from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.properties.profile import stories
from tests.properties.report_moves import ReportMoves

PROFILE = stories(examples=300, steps=50)


class AttemptsModel(ReportMoves, RuleBasedStateMachine):
    """One account's jobs on up to three hosts."""

    @invariant()
    def every_row_is_as_the_table_says(self) -> None:
        """Compare balance, hosts and lists with what the courses add up to."""
        self.check()

    def teardown(self) -> None:
        """Stop all faults and let the sweep run."""
        if self.sound:
            self.heal()
            self.check()
