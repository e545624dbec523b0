"""Rows in DynamoDB: one request each on moto, and the wire itself on a server with a script."""

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from moto import mock_aws

from tests.fixtures.stores import REGION, balance_key, put_item, seen
from wharfage.adapters.dynamo import dynamo_store
from wharfage.adapters.dynamo import rows as module
from wharfage.adapters.dynamo.rows import DynamoRows
from wharfage.adapters.dynamo.tables import create_tables
from wharfage.adapters.rows import Contended, OutcomeUnknown, Rejected
from wharfage.domain.balance import Balance
from wharfage.domain.errors import StateConflict
from wharfage.schema import BALANCE, DUE
from wharfage.transaction import Absent, Check, Delete, Equals, Item, Key, Present, Put, Update

PREFIX = "wharfage-test-"


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def rows() -> Iterator[DynamoRows]:
    with mock_aws():
        found = DynamoRows(prefix=PREFIX, region=REGION)
        create_tables(found.connection, PREFIX)
        yield found


@pytest.fixture
def calls(rows: DynamoRows) -> list[str]:
    """List the requests that are sent."""
    sent: list[str] = []

    def note(model: Any, **_: Any) -> None:
        sent.append(model.name)

    rows.connection.client.meta.events.register("before-call.dynamodb", note)
    return sent


class Script:
    """A DynamoDB that answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []

    def says(self, answer: dict[str, Any], *, status: int = 200) -> None:
        self.answers.append((status, answer))

    def refuses(self, code: str, *, status: int = 400, **answer: Any) -> None:
        self.says({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **answer}, status=status)

    def cancels(self, *reasons: dict[str, Any]) -> None:
        self.refuses("TransactionCanceledException", CancellationReasons=list(reasons))


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.requests.append((self.headers["X-Amz-Target"].split(".")[1], json.loads(body)))
            status, answer = script.answers.pop(0)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        script.endpoint = f"http://127.0.0.1:{server.server_port}"
        yield script
        server.shutdown()
        thread.join()


@pytest.fixture
def wire(script: Script) -> Iterator[DynamoRows]:
    """Give rows that talk to the script."""
    rows = DynamoRows(prefix=PREFIX, region=REGION, endpoint=script.endpoint)
    yield rows
    rows.connection.client.close()


class TestRequests:
    def test_each_call_is_one_request(self, rows, calls):
        one, other = balance_key(), balance_key()

        rows.write([put_item(one, a=1), put_item(other, a=1)])
        rows.write([Update(one, add={"a": 1})])
        rows.write([put_item(one, a=2)])
        rows.write([Delete(other)])
        rows.write([Check(one, when=[Present()])])
        rows.read([one])
        rows.read([one, other])
        rows.query("money", one.partition, prefix="b", after=None, newest_first=False, limit=5)

        assert calls == [
            "TransactWriteItems",
            "UpdateItem",
            "PutItem",
            "DeleteItem",
            "TransactWriteItems",
            "GetItem",
            "BatchGetItem",
            "Query",
        ]
        assert seen(rows, one) == {"a": 2}

    def test_nothing_is_asked_of_dynamodb_before_it_is_needed(self):
        rows = DynamoRows(prefix=PREFIX, region=REGION, endpoint="http://127.0.0.1:1")

        assert "_connection" not in vars(rows)

    def test_a_store_of_records_stands_on_the_rows(self, rows):
        store = dynamo_store(prefix=PREFIX, region=REGION)
        balance = Balance(account="acc", available=3)

        store.commit(Put(balance, when=[Absent()]))
        with pytest.raises(StateConflict):
            store.commit(Put(balance, when=[Absent()]))

        assert store.get(BALANCE.key(account="acc")) == balance

    def test_reads_are_consistent_and_index_reads_are_not(self, script, wire):
        key = balance_key()
        answers: list[dict[str, Any]] = [{}, {"Responses": {}}, {"Items": []}, {"Items": []}]
        for answer in answers:
            script.says(answer)

        wire.read([key])
        wire.read([key, balance_key()])
        wire.query("money", "p", prefix="", after=None, newest_first=False, limit=1)
        wire.nominate("money", DUE, "p", until=None, limit=1)

        get, batch, query, index = (request for _, request in script.requests)
        assert get["ConsistentRead"] is True
        assert batch["RequestItems"][PREFIX + "money"]["ConsistentRead"] is True
        assert query["ConsistentRead"] is True
        assert "ConsistentRead" not in index
        assert index["IndexName"] == "due"

    def test_old_items_are_asked_of_every_action_that_has_conditions(self, script, wire):
        when = [Present()]
        keys = [balance_key() for _ in range(5)]
        script.says({})

        wire.write(
            [
                Update(keys[0], add={"a": 1}, when=when),
                put_item(keys[1], when=when),
                Delete(keys[2], when=when),
                Check(keys[3], when=when),
                put_item(keys[4]),
            ]
        )

        [(_, request)] = script.requests
        asked = [
            (kind, action.get("ReturnValuesOnConditionCheckFailure"))
            for item in request["TransactItems"]
            for kind, action in item.items()
        ]
        assert asked == [
            ("ConditionCheck", "ALL_OLD"),
            ("Delete", "ALL_OLD"),
            ("Put", "ALL_OLD"),
            ("Put", None),
            ("Update", "ALL_OLD"),
        ]


def item_of(key: Key[Any], **attributes: Any) -> dict[str, Any]:
    return {"partition": {"S": key.partition}, "sort": {"S": key.sort}, **attributes}


class TestReasons:
    def test_they_find_their_way_back_to_our_order(self, script, wire):
        update, put, delete, check = (balance_key() for _ in range(4))
        failed = {"Code": "ConditionalCheckFailed"}
        script.cancels(
            failed | {"Item": item_of(check, of={"S": "check"})},
            {"Code": "None"},
            failed | {"Item": item_of(put, of={"B": base64.b64encode(b"\xff").decode()})},
            failed | {"Item": item_of(update, of={"N": "7"})},
        )

        with pytest.raises(Rejected) as caught:
            wire.write(
                [
                    Update(update, add={"a": 1}, when=[Absent()]),
                    put_item(put, when=[Absent()]),
                    Delete(delete, when=[Absent()]),
                    Check(check, when=[Absent()]),
                ]
            )

        found = {at: item and item["of"] for at, item in caught.value.failures.items()}
        assert found == {0: 7, 1: b"\xff", 3: "check"}

    def test_an_item_that_did_not_come_along_is_read(self, script, wire):
        one, other = balance_key(), balance_key()
        failed = {"Code": "ConditionalCheckFailed"}
        script.cancels(failed, failed)
        script.says({"Responses": {PREFIX + "money": [item_of(other, a={"N": "5"})]}})

        with pytest.raises(Rejected) as caught:
            wire.write([Delete(one, when=[Present()]), Check(other, when=[Equals("a", 4)])])

        expected: dict[int, Item | None] = {
            0: None,
            1: {"partition": other.partition, "sort": other.sort, "a": 5},
        }
        assert caught.value.failures == expected
        assert [name for name, _ in script.requests] == ["TransactWriteItems", "BatchGetItem"]

    @pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError"])
    def test_a_conflict_beside_a_failed_condition_is_no_refusal(self, script, wire, code):
        script.cancels({"Code": "ConditionalCheckFailed"}, {"Code": code})

        with pytest.raises(Contended):
            wire.write([put_item(balance_key(), when=[Absent()]), put_item(balance_key())])


class TestBatches:
    def test_what_was_left_out_is_asked_again(self, script, wire):
        keys = [balance_key() for _ in range(3)]
        left = {
            PREFIX + "money": {
                "ConsistentRead": True,
                "Keys": [item_of(keys[1])],
            }
        }
        script.says(
            {
                "Responses": {PREFIX + "money": [item_of(keys[2]), item_of(keys[0])]},
                "UnprocessedKeys": left,
            }
        )
        script.says({"Responses": {PREFIX + "money": [item_of(keys[1])]}})

        found = wire.read(keys)

        assert [item and item["partition"] for item in found] == [key.partition for key in keys]
        assert script.requests[1][1]["RequestItems"] == left

    def test_a_batch_that_stays_incomplete_is_contended(self, script, wire):
        keys = [balance_key() for _ in range(2)]
        left = {PREFIX + "money": {"Keys": [item_of(keys[1])]}}
        for _ in range(module.BATCH_ROUNDS_MAX):
            script.says({"Responses": {}, "UnprocessedKeys": left})

        with pytest.raises(Contended):
            wire.read(keys)

    def test_tables_share_a_batch(self, script, wire):
        keys = [Key[Any]("money", "p", "s"), Key[Any]("work", "p", "s")]
        script.says(
            {
                "Responses": {
                    PREFIX + "work": [item_of(keys[1], a={"S": "work"})],
                    PREFIX + "money": [item_of(keys[0], a={"S": "money"})],
                }
            }
        )

        assert [item and item["a"] for item in wire.read(keys)] == ["money", "work"]


class TestOneAttempt:
    @pytest.mark.parametrize(
        ("code", "status", "meaning"),
        [
            ("InternalServerError", 500, OutcomeUnknown),
            ("ThrottlingException", 400, Contended),
            ("TransactionInProgressException", 400, OutcomeUnknown),
            ("ProvisionedThroughputExceededException", 400, Contended),
        ],
    )
    def test_the_sdk_repeats_nothing(self, script, wire, code, status, meaning):
        script.refuses(code, status=status)

        with pytest.raises(meaning):
            wire.write([put_item(balance_key()), put_item(balance_key())])

        assert len(script.requests) == 1

    def test_a_connection_that_is_refused_was_never_a_request(self):
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        rows = DynamoRows(prefix=PREFIX, region=REGION, endpoint=endpoint)

        with pytest.raises(Contended):
            rows.write([put_item(balance_key())])

    def test_silence_after_the_request_is_of_unknown_outcome(self, monkeypatch):
        monkeypatch.setattr(module, "READ_SECONDS", 0.1)
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
            rows = DynamoRows(prefix=PREFIX, region=REGION, endpoint=endpoint)

            with pytest.raises(OutcomeUnknown):
                rows.write([put_item(balance_key())])
            with pytest.raises(OutcomeUnknown):
                rows.read([balance_key()])

    def test_a_connection_that_is_cut_is_of_unknown_outcome(self):
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"

            def cut() -> None:
                connection, _ = server.accept()
                connection.recv(65536)
                connection.close()

            thread = Thread(target=cut)
            thread.start()
            rows = DynamoRows(prefix=PREFIX, region=REGION, endpoint=endpoint)
            with pytest.raises(OutcomeUnknown):
                rows.write([put_item(balance_key())])
            thread.join()
