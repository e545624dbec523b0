"""How long the models are run: a few stories in CI, as many new ones as asked for.

In CI they are drawn from a fixed seed; still they are not quite the same in every run, for
Hypothesis also tries constants of the modules that happen to be loaded.
WHARFAGE_PROPERTY_EXAMPLES=5000 runs that many fresh stories of each model.
"""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

_ASKED = os.environ.get("WHARFAGE_PROPERTY_EXAMPLES")


def stories(examples: int, steps: int) -> settings:
    """Make the profile of one model: so many stories in CI, each of so many moves at most."""
    return settings(
        max_examples=int(_ASKED or examples),
        stateful_step_count=steps,
        derandomize=_ASKED is None,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def hold(model: type[RuleBasedStateMachine], profile: settings) -> None:
    """Run a model; a failure is shrunk to its shortest story."""
    run_state_machine_as_test(model, settings=profile)


def first_failure(model: type[RuleBasedStateMachine], profile: settings) -> BaseException | None:
    """Run a model until it fails for the first time; None if it never does."""
    quick = settings(profile, phases=[Phase.generate], report_multiple_bugs=False, print_blob=False)
    try:
        run_state_machine_as_test(model, settings=quick)
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is what was asked for
        return failure
    return None
