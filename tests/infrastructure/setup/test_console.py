"""Set-up speaks in lines that are there at once."""

import pytest

from infrastructure.setup.console import say_table, timed, typed


def test_a_table_has_straight_columns(capsys: pytest.CaptureFixture[str]):
    say_table([("a", "bb", "c"), ("long", "b", "")])

    assert capsys.readouterr().out == "  a     bb  c\n  long  b\n"


def test_a_timed_step_is_said_before_and_after(capsys: pytest.CaptureFixture[str]):
    with timed("Working"):
        before = capsys.readouterr().out

    assert before == "Working ...\n"
    assert capsys.readouterr().out.startswith("  done in 0.0 s")


def test_a_step_that_fails_is_not_said_to_be_done(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(OSError, match="no"), timed("Working"):
        raise OSError("no")

    assert "done" not in capsys.readouterr().out


def test_a_command_is_shown_so_that_it_can_be_typed():
    assert typed(["echo", "a b"]) == "echo 'a b'"
