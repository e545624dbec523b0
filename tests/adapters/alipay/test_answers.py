"""Tests of answers that cannot be believed: each is unknown, and nothing is guessed."""

import base64
import logging
import random
import socket
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from tests.fixtures.alipay import (
    channel,
    genuine,
    order,
    pair,
    posted,
    settings,
    signed,
)
from wharfage.adapters.alipay import AlipayChannel
from wharfage.adapters.alipay.channel import _import_sdk
from wharfage.domain.trade import (
    CloseOutcome,
    PayMethod,
    TradeEvent,
    TradeStatus,
)


def _answer(reply: bytes) -> tuple[str, threading.Thread]:
    """Answer one request with these bytes, whatever it was."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/gateway.do", thread


def _http(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def _signed_answer(content: str, name: str = "alipay_trade_query_response") -> bytes:
    signature = pair("alipay").private.sign(content.encode(), padding.PKCS1v15(), SHA256())
    sign = base64.b64encode(signature).decode()
    return _http(f'{{"{name}":{content},"sign":"{sign}"}}'.encode())


GOOD = (
    '{"code":"10000","out_trade_no":"ord_00000000000000000000000001","trade_no":"T1",'
    '"trade_status":"TRADE_SUCCESS","total_amount":"99.00"}'
)


def test_an_answer_that_alipay_signed_is_believed():
    gateway, thread = _answer(_signed_answer(GOOD))

    view = channel(gateway=gateway).query(order())

    thread.join()
    assert (view.status, view.amount_fen) == (TradeStatus.SUCCESS, 9900)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"garbage\r\n\r\n",
        _http(b""),
        _http(b"<html>busy</html>"),
        _http(b"\xff\xfe"),
        _http(b"[]"),
        _http(b"null"),
        _http(b"{}"),
        _http(b'{"sign":null}'),
        _http(b'{"alipay_trade_query_response":[],"sign":5}'),
        _http(b"[" * 100_000),
        _http(b"", b"502 Bad Gateway"),
        _http(GOOD.encode()),
        _http(b'{"alipay_trade_query_response":' + GOOD.encode() + b"}"),
        _http(b'{"alipay_trade_query_response":' + GOOD.encode() + b',"sign":"AAAA"}'),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{",
        _signed_answer(GOOD.replace("T1", "a}b")),
        _signed_answer(GOOD.replace("ord_00000000000000000000000001", "ord_another")),
        _signed_answer(GOOD.replace("TRADE_SUCCESS", "TRADE_NEW")),
        _signed_answer(GOOD.replace("99.00", "9.9e1")),
        _signed_answer(GOOD.replace('"trade_no":"T1",', "")),
        _signed_answer(GOOD.replace("10000", "20000")),
        _signed_answer('{"code":"40004","sub_code":"ACQ.SYSTEM_ERROR"}'),
        _signed_answer(GOOD, name="alipay_trade_close_response"),
    ],
)
def test_an_answer_that_cannot_be_believed_is_unknown(reply):
    gateway, thread = _answer(reply)

    view = channel(gateway=gateway).query(order())

    thread.join()
    assert view.status is TradeStatus.UNKNOWN


def test_nobody_there_is_unknown():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert channel(gateway=f"http://127.0.0.1:{port}/gateway.do").query(order()).status is (
        TradeStatus.UNKNOWN
    )


def test_an_answer_that_does_not_come_is_unknown():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = f"http://127.0.0.1:{listener.getsockname()[1]}/gateway.do"
        alipay = AlipayChannel(settings(gateway=gateway), timeout_seconds=0.2)

        assert alipay.query(order()).status is TradeStatus.UNKNOWN
        assert alipay.close(order()) is CloseOutcome.UNKNOWN


def test_what_goes_wrong_is_logged_without_what_was_said(caplog):
    gateway, thread = _answer(_http(b'{"alipay_trade_query_response":{"secret":"PII"}}'))

    channel(gateway=gateway).query(order())

    thread.join()
    assert caplog.records
    assert "PII" not in caplog.text
    assert not any("PII" in str(vars(record)) for record in caplog.records)


def test_importing_the_sdk_leaves_the_logging_of_the_process_alone(tmp_path):
    handler = logging.FileHandler(tmp_path / "log", delay=False)

    _import_sdk()

    handler.emit(logging.makeLogRecord({"msg": "still here"}))
    handler.close()
    assert "still here" in (tmp_path / "log").read_text()
    assert not logging.getLogger("python-alipay-sdk").handlers


def test_signing_and_checking_from_many_threads_agree():
    alipay = channel()
    chance = random.Random(1)
    requests = [
        posted(signed(genuine(total_amount=f"{chance.randrange(1, 10**6)}.00"))) for _ in range(20)
    ]
    urls: set[str | None] = set()
    events: list[TradeEvent] = []

    def work() -> None:
        urls.add(alipay.create(order(), PayMethod.PAGE).url)
        events.extend(alipay.parse_notify(request) for request in requests)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(urls) == 1
    assert len(events) == 8 * 20
