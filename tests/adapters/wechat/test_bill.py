"""WeChat Pay's bill: read exactly, or refused with what is wrong with it; never anything else."""

import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.local.sandbox import wechat_bills as stand_in
from infrastructure.local.sandbox.days import Line
from infrastructure.local.sandbox.trades import Faults
from tests.fixtures.bill_lines import DAY, PAYMENT, REFUND, days, rows, tells
from tests.fixtures.wechat import MERCHANT
from wharfage.adapters.wechat import bill
from wharfage.domain.bill import Bill, BillFault, Claim, FeeTerms, RowKind
from wharfage.domain.errors import BillRefused


def written(*lines: Line, **faults: Any) -> bytes:
    return stand_in.table(lines, MERCHANT, Faults(**faults))


def read(content: bytes, **asked: Any) -> Bill:
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return bill.parse(content, sha1, **{"day": DAY, "merchant": MERCHANT.merchant_id, **asked})


def edited(*changes: tuple[str, str]) -> bytes:
    text = written(PAYMENT, REFUND).decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def refused(content: bytes, **asked: Any) -> str:
    with pytest.raises(BillRefused) as caught:
        read(content, **asked)
    return caught.value.reason


def test_payments_and_refunds_are_read_with_their_fees_and_sums():
    found = read(written(PAYMENT, REFUND))

    assert found.rows == rows(fee_fen=59, returned_fen=6)
    assert found.claims == (
        Claim(name="orders_total", stated_fen=9900, counted_fen=9900),
        Claim(name="refunds_total", stated_fen=1000, counted_fen=1000),
    )
    assert (found.channel, found.day, found.published) == ("wechat", DAY, True)
    assert found.begins_at == datetime(2026, 2, 28, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "fee_fen"),
    [("0.05940", 6), ("0.00499", 0), ("0.00500", 1), ("1", 100), ("-0.05940", -6)],
)
def test_a_fee_is_read_to_the_nearest_fen(told: str, fee_fen: int):
    [payment, _] = read(edited(("`0.59400", f"`{told}"))).rows

    assert payment.fee_fen == fee_fen


def test_a_refund_that_failed_moved_nothing_and_counts_in_the_sums():
    found = read(edited(("ORIGINAL,`SUCCESS", "ORIGINAL,`FAIL")))

    assert [row.kind for row in found.rows] == [RowKind.PAYMENT]
    assert all(claim.stated_fen == claim.counted_fen for claim in found.claims)


def test_a_payment_that_was_revoked_is_told_as_money_that_went_back():
    rows = read(edited(("`REFUND,", "`REVOKED,"))).rows

    assert rows == read(written(PAYMENT, REFUND)).rows


def test_columns_are_found_by_name_and_lines_end_in_either_way():
    plain = edited(("\r\n", "\n"))
    marked = b"\xef\xbb\xbf" + written(PAYMENT, REFUND)
    names, *rows, sums, totals = written(PAYMENT, REFUND).decode().split("\r\n")[:-1]
    turned = [",".join(reversed(names.split(",")))]
    turned += ["`" + ",`".join(reversed(row[1:].split(",`"))) for row in rows]

    for content in (plain, marked, "\n".join([*turned, sums, totals]).encode()):
        assert read(content).rows == read(written(PAYMENT, REFUND)).rows


def test_a_name_of_what_was_sold_may_have_commas_and_backticks():
    assert len(read(edited(("Wharfage 充值", "a,b`c,,"))).rows) == 2


def test_a_sum_that_is_not_that_of_the_rows_is_told_and_not_refused():
    claims = read(edited(("`99.00,`10.00\r\n", "`98.00,`10.00\r\n"))).claims

    assert claims[0] == Claim(name="orders_total", stated_fen=9800, counted_fen=9900)


def test_terms_of_the_contract_go_with_the_bill():
    terms = FeeTerms(basis_points=60)

    assert read(written(PAYMENT), fee_terms=terms).fee_terms == terms


def test_bytes_that_are_not_those_that_were_signed_are_refused():
    content = written(PAYMENT)
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()

    with pytest.raises(BillRefused) as caught:
        bill.parse(content + b"\n", sha1, day=DAY, merchant=MERCHANT.merchant_id)
    assert caught.value.reason == BillFault.ARCHIVE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("\r\n`2,", "\r\n`3,"), BillFault.COUNT),
        (("\r\n`2,", "\r\n`02,"), BillFault.COUNT),
        (("2026-03-01 12:00:07", "2026-03-02 12:00:07"), BillFault.DAY),
        ((MERCHANT.merchant_id, "1900000002"), BillFault.DAY),
        (("`CNY", "`USD"), BillFault.DAY),
        (("商户订单号,", "订单号,"), BillFault.FORM),
        (("设备号,", "商户订单号,"), BillFault.FORM),
        (("`SUCCESS,`OTHERS", "`PAYERROR,`OTHERS"), BillFault.FORM),
        (("`99.00,`0.00,`\r", "`-99.00,`0.00,`\r"), BillFault.FORM),
        (("`99.00,`0.00,`\r", "`99.001,`0.00,`\r"), BillFault.FORM),
        (("`99.00,`0.00,`\r", "`９9.10,`0.00,`\r"), BillFault.FORM),
        (("`99.00,`0.00,`\r", "`,`0.00,`\r"), BillFault.FORM),
        (("`0.59400", "`0.594001"), BillFault.FORM),
        (("`0.59400", "`1e1"), BillFault.FORM),
        (("2026-03-01 12:00:07", "2026-03-01 12:00:70"), BillFault.FORM),
        (("`ord_1", "`ord 1"), BillFault.FORM),
        ((f"`{PAYMENT.trade_no}", "`"), BillFault.FORM),
        (("`OTHERS,", ""), BillFault.FORM),
        (("\r\n`2026", "\r\n2026"), BillFault.FORM),
        (("总交易单数", "总数"), BillFault.FORM),
    ],
)
def test_a_bill_that_is_not_as_it_should_be_is_refused_and_says_why(change, reason):
    assert refused(edited(change)) == reason


def test_every_prefix_of_a_bill_is_refused_up_to_its_last_sum():
    content = written(PAYMENT, REFUND)

    for size in range(content.rindex(b",`") + 2):
        refused(content[:size])


def test_another_encoding_is_refused():
    assert refused(written(PAYMENT).decode().encode("gb18030")) == BillFault.ENCODING


def only_refuses(content: bytes) -> None:
    with suppress(BillRefused):
        assert all(row.amount_fen >= 0 for row in read(content).rows)


@given(content=st.binary(max_size=2000))
def test_no_bytes_make_it_fail_in_another_way(content: bytes):
    only_refuses(content)
    only_refuses(TABLE[: TABLE.index(b"\r\n") + 2] + content)


@given(data=st.data())
def test_no_damage_makes_it_fail_in_another_way(data):
    whole = bytearray(TABLE)
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))

    only_refuses(bytes(whole))


@given(lines=days)
def test_what_the_stand_in_writes_is_what_is_read(lines: list[Line]):
    assert tells(read(written(*lines)), lines)


TABLE = written(PAYMENT, REFUND)
