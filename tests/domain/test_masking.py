"""Tests of masking: nothing of a person is left that tells more than what it was."""

import pytest

from wharfage.domain import masking


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("someone@example.com", "s***@example.com"), ("a@b.cn", "a***@b.cn"),
        ("王芳@例子.中国", "王***@例子.中国"), ("a+b.c@x.y.example", "a***@x.y.example"),
        ("@example.com", "***@example.com"), ("nobody", "n*"), ("", ""),
    ],
)  # fmt: skip
def test_of_an_address_the_first_letter_and_the_domain_are_shown(address, shown):
    assert masking.email(address) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13812345678", "138****5678"), ("+86 13812345678", "138****5678"), ("1381234567", "****"),
        ("138-1234-5678", "138****5678"), ("", "****"),
    ],
)  # fmt: skip
def test_of_a_phone_number_the_beginning_and_the_end_are_shown(number, shown):
    assert masking.phone(number) == shown


def test_of_a_name_the_first_character_is_shown_and_of_a_short_id_nothing():
    assert (masking.name("王小明"), masking.name("")) == ("王*", "")
    assert (masking.buyer("2088000000000099"), masking.buyer("20880000")) == (
        "2088****0099", "****",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('{"email":"someone@example.com","ms":1.5}', '{"email":"s***@example.com","ms":1.5}'),
        ("tel 13812345678, 13912345678", "tel 138****5678, 139****5678"),
        ("buyer_id=2088000000000099&x=1", "buyer_id=2088****0099&x=1"),
        ("<a.b@example.co.uk> said so", "<a***@example.co.uk> said so"),
        ("call +8613812345678!", "call 138****5678!"),
        ("to 91350100M000100Y43.", "to 9135****0Y43."),
        ('{"tax_number":"91350100M000100Y43"}', '{"tax_number":"9135****0Y43"}'),
    ],
)
def test_every_piece_inside_of_a_text_is_masked(written, shown):
    assert masking.text(written) == shown


@pytest.mark.parametrize(
    "written",
    [
        "ord_01hq813812345678abcdefghij", "2026030122001413812345678012", "1772337600250",
        "2026-03-01T04:00:00.250Z", "12345678901", "image@sha256:0123", "0.13812345678",
        "user@host", "T13812345678", '{"limit":"20","status":200}',
    ],
)  # fmt: skip
def test_ids_times_and_numbers_are_left_as_they_are(written):
    assert masking.text(written) == written
