"""The template's reader: rates as seconds, tags as their long form."""

import pytest

from infrastructure.template import functions, rate_seconds


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(2 hours)", 7200),
        ("rate(1 day)", 86400),
    ],
)
def test_a_rate_is_read_as_seconds(expression, seconds):
    assert rate_seconds(expression) == seconds


@pytest.mark.parametrize("expression", ["cron(0 12 * * ? *)", "rate(1 week)", "1 minute", "rate()"])
def test_what_is_no_rate_is_refused(expression):
    with pytest.raises(ValueError, match="rate"):
        rate_seconds(expression)


def test_the_sweep_is_called_every_minute_and_has_no_route():
    sweep = next(function for function in functions() if function.module == "functions.sweep.app")

    assert [schedule.every_seconds for schedule in sweep.schedules] == [60]
    assert sweep.routes == ()


def test_no_function_waits_longer_than_the_api():
    assert all(function.timeout_seconds <= 29 for function in functions() if function.routes)
