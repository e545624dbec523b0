"""The trace: valid by the W3C's rule, and each context has its own."""

import threading

import pytest

from wharfage import trace

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (PARENT, True),
        (PARENT.upper(), False),
        (PARENT + "\n", False),
        ("00-" + "0" * 32 + "-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01", False),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        ("", False),
    ],
)
def test_only_a_traceparent_is_valid(text, valid):
    assert trace.valid(text) is valid


def test_the_trace_ends_with_its_work_and_is_not_another_threads():
    seen = []

    with trace.following(PARENT):
        thread = threading.Thread(target=lambda: seen.append(trace.current()))
        thread.start()
        thread.join()
        assert trace.current() == PARENT

    assert (seen, trace.current()) == ([None], None)
    assert trace.trace_id(PARENT) == "0af7651916cd43dd8448eb211c80319c"
