"""Reading: what is not exactly JSON is malformed, what does not fit is pointed at."""

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from wharfage.domain import limits
from wharfage.domain.errors import Invalid, Malformed, TooLarge
from wharfage.domain.record import Body
from wharfage.web import reading


class Inner(Body, frozen=True, kw_only=True):
    """A part."""

    count: Annotated[int, Meta(ge=1, le=2**53)] = 1


class Outer(Body, frozen=True, kw_only=True):
    """A whole."""

    name: Annotated[str, Meta(max_length=10)]
    inner: Inner = Inner()
    parts: tuple[Inner, ...] = ()
    env: dict[Annotated[str, Meta(pattern="^[a-z/~]+$")], str] = {}


DECODER = msgspec.json.Decoder(Outer)


def read(body: bytes) -> Outer:
    return reading.json_body(body, DECODER, bytes_max=1_000_000)


def test_a_body_is_read_into_its_type():
    assert read(b' {"name":"x","inner":{"count":2}} \n') == Outer(name="x", inner=Inner(count=2))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"name":"x"} x',
        b'{"name":"x"}{}',
        b'\xef\xbb\xbf{"name":"x"}',
        b'{"name":"\xff"}',
        b'{"name":"\\ud800"}',
        b'{"name":"x","name":"y"}',
        b'{"name":"x","inner":{"count":1,"count":1}}',
        b'{"name":"x","inner":{"count":NaN}}',
        b'{"name":"x","inner":{"count":Infinity}}',
        b'{"name":"x","inner":{"count":' + b"9" * 5000 + b"}}",
        b"[" * 100_000,
        b'{"inner":' * 10_000,
        b'{"name":"x","parts":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        '{"name":"x"}'.encode("utf-16"),
    ],
)
def test_what_is_not_exactly_json_is_malformed(body):
    with pytest.raises(Malformed):
        read(body)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b"[]", "", "type"),
        (b"null", "", "type"),
        (b"{}", "/name", "missing_field"),
        (b'{"name":1}', "/name", "type"),
        (b'{"name":"01234567890"}', "/name", "length"),
        (b'{"name":"x","other":1}', "/other", "unknown_field"),
        (b'{"name":"x","inner":{"counts":1}}', "/inner/counts", "unknown_field"),
        (b'{"name":"x","inner":{"count":0}}', "/inner/count", "range"),
        (b'{"name":"x","inner":{"count":-1}}', "/inner/count", "range"),
        (b'{"name":"x","inner":{"count":0.1}}', "/inner/count", "type"),
        (b'{"name":"x","inner":{"count":"10"}}', "/inner/count", "type"),
        (b'{"name":"x","inner":{"count":true}}', "/inner/count", "type"),
        (b'{"name":"x","inner":{"count":9223372036854775808}}', "/inner/count", "range"),
        (b'{"name":"x","inner":{"count":' + b"9" * 39 + b"}}", "/inner/count", "range"),
        (b'{"name":"x","parts":[{},{"count":0}]}', "/parts/1/count", "range"),
        (b'{"name":"x","env":{"A":"b"}}', "/env", "pattern"),
        (b'{"name":"x","a/b~c":1}', "/a~1b~0c", "unknown_field"),
    ],
)
def test_what_does_not_fit_is_pointed_at(body, pointer, code):
    with pytest.raises(Invalid) as refused:
        read(body)

    fault = refused.value.faults[0]
    assert (fault.pointer, fault.code) == (pointer, code)


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises((Malformed, Invalid)):
        read(b'{"name":"x","inner":{"count":1e309}}')


def test_a_body_over_its_limit_is_not_even_read():
    with pytest.raises(TooLarge):
        reading.json_body(b"[" * 11, DECODER, bytes_max=10)


@pytest.mark.parametrize(("depth", "refusal"), [(0, Invalid), (1, Malformed)])
def test_nesting_is_too_deep_from_one_depth_on_in_every_python(depth, refusal):
    levels = limits.JSON_DEPTH_MAX - 1 + depth  # The body itself is one.

    with pytest.raises(refusal):
        read(b'{"name":' + b"[" * levels + b"]" * levels + b"}")
