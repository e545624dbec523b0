"""Alipay's bill: read exactly, or refused with what is wrong with it; never anything else."""

import io
import zipfile
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.local.sandbox import alipay_bills as stand_in
from infrastructure.local.sandbox.days import Line
from infrastructure.local.sandbox.trades import Faults
from tests.fixtures.alipay import SELLER
from tests.fixtures.bill_lines import DAY, PAYMENT, REFUND, days, rows, tells
from wharfage.adapters.alipay import bill
from wharfage.domain import limits
from wharfage.domain.bill import BillFault, Claim, FeeTerms, RowKind
from wharfage.domain.errors import BillRefused


def packed(*lines: Line, **faults: Any) -> bytes:
    return stand_in.archive(lines, day=DAY, seller_id=SELLER, faults=Faults(**faults))


def read(archive: bytes, *, day: date = DAY, seller: str = SELLER):
    return bill.parse(archive, day=day, seller=seller)


def zipped(*tables: bytes, names: tuple[str, ...] = ("a.csv", "b.csv")) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as opened:
        for at, table in enumerate(tables):
            opened.writestr(names[at] if at < len(names) else f"{at}.csv", table)
    return content.getvalue()


def detail(*lines: Line) -> str:
    with zipfile.ZipFile(io.BytesIO(packed(*lines))) as opened:
        tables = [opened.read(name).decode("gb18030") for name in opened.namelist()]
    [found] = [table for table in tables if table.startswith(bill.FIRST_LINE)]
    return found


def edited(*changes: tuple[str, str]) -> bytes:
    table = detail(PAYMENT, REFUND)
    for old, new in changes:
        assert old in table
        table = table.replace(old, new)
    return zipped(table.encode("gb18030"))


def refused(archive: bytes, **asked) -> str:
    with pytest.raises(BillRefused) as caught:
        read(archive, **asked)
    return caught.value.reason


def test_payments_and_refunds_are_read_with_their_fees_and_sums():
    found = read(packed(PAYMENT, REFUND))

    assert found.rows == rows(fee_fen=60, returned_fen=6)
    assert found.claims == (
        Claim(name="payments_received", stated_fen=9900, counted_fen=9900),
        Claim(name="refunds_received", stated_fen=-1000, counted_fen=-1000),
    )
    assert (found.channel, found.day, found.published) == ("alipay", DAY, True)
    assert found.begins_at == datetime(2026, 2, 28, 16, tzinfo=UTC)
    assert found.ends_at - found.begins_at == timedelta(days=1)


def test_the_table_is_chosen_by_its_first_line_and_names_mean_nothing():
    table = detail(PAYMENT).encode("gb18030")

    names = ("../../etc/passwd", "/b.csv")
    assert len(read(zipped(b"#other\r\n", table, names=names)).rows) == 1


def test_columns_are_found_by_name_whatever_their_order_or_brackets():
    plain = edited(("（元）", "(元)"))
    table = detail(PAYMENT)
    names, row = [line for line in table.split("\r\n") if line and not line.startswith("#")]
    turned = [",".join((*reversed(line.split(",", 24)[:24]), "x")) for line in (names, row)]
    turned[0] = turned[0].removesuffix("x") + "备注"
    moved = table.replace(names, turned[0]).replace(row, turned[1])

    assert read(plain).rows == read(packed(PAYMENT, REFUND)).rows
    assert read(zipped(moved.encode("gb18030"))).rows == read(packed(PAYMENT)).rows


def test_a_remark_may_have_commas_and_words_beyond_gbk():
    with_commas = edited(("沙箱,stand-in", "一,二,,三,𠮷€,"))

    assert len(read(with_commas).rows) == 2


def test_a_day_on_which_only_refunds_were_made_is_read():
    assert [row.kind for row in read(packed(REFUND)).rows] == [RowKind.REFUND]


def test_a_sum_that_is_not_that_of_the_rows_is_told_and_not_refused():
    claims = read(edited(("商家实收共99.00元", "商家实收共98.00元"))).claims

    assert claims[0] == Claim(name="payments_received", stated_fen=9800, counted_fen=9900)


def test_terms_of_the_contract_go_with_the_bill():
    terms = FeeTerms(basis_points=60)

    found = bill.parse(packed(PAYMENT), day=DAY, seller=SELLER, fee_terms=terms)

    assert found.fee_terms == terms


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("#交易合计：1笔", "#交易合计：2笔"), BillFault.COUNT),
        (("#退款合计：1笔", "#退款合计：0笔"), BillFault.COUNT),
        (("#交易合计：", "#交易总计："), BillFault.COUNT),
        (("#起始日期：[2026年03月01日", "#起始日期：[2026年03月02日"), BillFault.DAY),
        (("#起始日期：", "#日期："), BillFault.DAY),
        ((f"#账号：[{SELLER}", "#账号：[2088999999999999"), BillFault.DAY),
        (("商户订单号,", "订单号,"), BillFault.FORM),
        (("门店编号,", "商户订单号,"), BillFault.FORM),
        (("交易\t", "转账\t"), BillFault.FORM),
        (("-10.00,-10.00", "10.00,10.00"), BillFault.FORM),
        ((",99.00,", ",99.001,"), BillFault.FORM),
        ((",99.00,", ",９9.00,"), BillFault.FORM),
        ((",99.00,", ",9.9e1,"), BillFault.FORM),
        ((",99.00,", ",,"), BillFault.FORM),
        (("2026-03-01 12:00:07", "2026-03-01 12:00:70"), BillFault.FORM),
        (("ord_1\t", "ord 1\t"), BillFault.FORM),
        (("ord_1\t", "o" * 65 + "\t"), BillFault.FORM),
        ((PAYMENT.trade_no + "\t", "\t"), BillFault.FORM),
        (("\t,\t,\t,\t,*", "*"), BillFault.FORM),
        ((bill.FIRST_LINE, "#支付宝业务汇总查询"), BillFault.MEMBER),
    ],
)
def test_a_bill_that_is_not_as_it_should_be_is_refused_and_says_why(change, reason):
    assert refused(edited(change)) == reason


def test_a_cut_bill_is_refused():
    whole = detail(PAYMENT, REFUND)
    lines = whole.split("\r\n")
    without_a_row = "\r\n".join(line for at, line in enumerate(lines) if at != 6)

    assert refused(packed(PAYMENT, REFUND, bill_cut=True)) in {BillFault.COUNT, BillFault.FORM}
    assert refused(zipped(without_a_row.encode("gb18030"))) == BillFault.COUNT


def test_every_prefix_of_an_archive_and_of_its_table_is_refused():
    archive, table = packed(PAYMENT, REFUND), detail(PAYMENT, REFUND).encode("gb18030")
    trailer = table.index("商家实收退款共".encode("gb18030"))

    for size in range(0, len(archive) - 1, 7):
        refused(archive[:size])
    for size in range(0, trailer, 5):
        refused(zipped(table[:size]))


def test_another_encoding_is_refused():
    table = detail(PAYMENT)

    for content in (table.encode(), table.encode("utf-16"), b"\xff\xfe\x00"):
        assert refused(zipped(content)) == BillFault.MEMBER
    broken = bill.FIRST_LINE.encode("gb18030") + b"\r\n#\xff\xff\r\n"
    assert refused(zipped(broken)) == BillFault.ENCODING


def test_two_tables_of_payments_or_none_are_refused():
    table = detail(PAYMENT).encode("gb18030")

    assert refused(zipped(table, table)) == BillFault.MEMBER
    assert refused(zipped(b"#a\r\n")) == BillFault.MEMBER
    assert refused(zipped()) == BillFault.MEMBER


def test_too_many_files_are_refused_and_as_many_as_allowed_are_not():
    table = detail(PAYMENT).encode("gb18030")
    others = [b"#a\r\n"] * (limits.BILL_MEMBERS_MAX - 1)

    assert len(read(zipped(table, *others)).rows) == 1
    assert refused(zipped(table, *others, b"#a\r\n")) == BillFault.SIZE


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    bomb = packed(PAYMENT, bill_bomb=True)
    assert len(bomb) < limits.BILL_PACKED_BYTES_MAX // 8

    assert refused(bomb) == BillFault.SIZE


def test_the_bound_on_unpacked_bytes_is_exact(monkeypatch):
    table = detail(PAYMENT).encode("gb18030")

    for bound, fits in ((len(table) + 1, True), (len(table), True), (len(table) - 1, False)):
        monkeypatch.setattr(limits, "BILL_BYTES_MAX", bound)
        if fits:
            assert read(zipped(table)).rows
        else:
            assert refused(zipped(table)) == BillFault.SIZE


def test_a_bomb_of_many_small_files_counts_as_one(monkeypatch):
    table = detail(PAYMENT).encode("gb18030")
    monkeypatch.setattr(limits, "BILL_BYTES_MAX", len(table) + 99)

    assert refused(zipped(table, bytes(50), bytes(50))) == BillFault.SIZE


def test_a_locked_or_strangely_packed_archive_is_refused():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_BZIP2) as opened:
        opened.writestr("a.csv", detail(PAYMENT).encode("gb18030"))
    locked = bytearray(packed(PAYMENT))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = 0
        while (place := locked.find(mark, place)) >= 0:
            locked[place + at] |= 1
            place += 4

    assert refused(content.getvalue()) == BillFault.ARCHIVE
    assert refused(bytes(locked)) == BillFault.ARCHIVE
    assert refused(b"<html>expired</html>") == BillFault.ARCHIVE


def test_a_file_without_a_name_is_damage_or_read_as_any():
    whole = zipped(detail(PAYMENT).encode("gb18030"))
    nameless = whole.replace(b"a.csv", b"\0.csv")

    with suppress(BillRefused):  # Python 3.13 reads it, as those before it do not.
        assert read(nameless).rows == read(whole).rows


def only_refuses(archive: bytes) -> None:
    with suppress(BillRefused):
        assert all(row.amount_fen >= 0 for row in read(archive).rows)


@given(content=st.binary(max_size=2000))
def test_no_bytes_make_it_fail_in_another_way(content: bytes):
    only_refuses(content)
    only_refuses(zipped(content))
    only_refuses(zipped(bill.FIRST_LINE.encode("gb18030") + b"\n" + content))


@given(data=st.data())
def test_no_damage_makes_it_fail_in_another_way(data):
    whole = bytearray(data.draw(st.sampled_from([ARCHIVE, TABLE])))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))

    only_refuses(bytes(whole))
    only_refuses(zipped(bytes(whole)))


@given(lines=days)
def test_what_the_stand_in_writes_is_what_is_read(lines: list[Line]):
    assert tells(read(packed(*lines)), lines)


ARCHIVE = packed(PAYMENT, REFUND)
TABLE = detail(PAYMENT, REFUND).encode("gb18030")
