"""Rows in DynamoDB: each call is one attempt at one request, with times that are kept short.

The SDK's own retries are off, for they would turn *unknown* into *refused*.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import Any

from pynamodb.connection.base import Connection
from pynamodb.expressions.operand import Path

from wharfage.adapters.dynamo.expressions import (
    actions_of,
    all_of,
    attributes_of,
    item_of,
    typed,
    value_of,
)
from wharfage.adapters.dynamo.failures import ERRORS, explain, failed_conditions
from wharfage.adapters.dynamo.tables import meta_tables
from wharfage.adapters.rows import Change, Contended, PutItem, Rejected
from wharfage.schema import Index
from wharfage.transaction import Check, Delete, Item, Key, Update

CONNECT_SECONDS = 1.0
READ_SECONDS = 3.0
CONNECTIONS_MAX = 50  #: Threads beyond it wait for a connection.
BATCH_ROUNDS_MAX = 5  #: How often to ask again for what a batch read left out.

#: The order in which pynamodb sends a transaction, whatever we list; its reasons come back so.
_SENT = (Check, Delete, PutItem, Update)


class DynamoRows:
    """Rows in tables whose names begin with *prefix*. It connects when it is first used."""

    def __init__(self, *, prefix: str, region: str, endpoint: str | None = None) -> None:
        self._prefix = prefix
        self._region = region
        self._endpoint = endpoint
        self._connecting = Lock()

    @property
    def connection(self) -> Connection:
        """The connection, with its client: making that takes a third of a second, once."""
        with self._connecting:
            return self._connection

    @cached_property
    def _connection(self) -> Connection:
        connection = Connection(
            region=self._region,
            host=self._endpoint,
            connect_timeout_seconds=CONNECT_SECONDS,
            read_timeout_seconds=READ_SECONDS,
            retry_configuration={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=CONNECTIONS_MAX,
        )
        for table in meta_tables(self._prefix):
            connection.add_meta_table(table)
        _ = connection.client
        return connection

    def read(self, keys: Sequence[Key[Any]]) -> list[Item | None]:
        found = self._get(keys[0]) if len(keys) == 1 else self._get_batch(keys)
        return [found.get(key) for key in keys]

    def query(
        self,
        table: str,
        partition: str,
        *,
        prefix: str,
        after: str | None,
        newest_first: bool,
        limit: int,
    ) -> list[Item]:
        start = {"partition": typed(partition), "sort": typed(after)} if after else None
        return self._query(
            self._prefix + table,
            partition,
            range_key_condition=Path(["sort"]).startswith(prefix) if prefix else None,
            exclusive_start_key=start,
            consistent_read=True,
            scan_index_forward=not newest_first,
            limit=limit,
        )

    def nominate(
        self, table: str, index: Index, partition: str, *, until: str | None, limit: int
    ) -> list[Key[Any]]:
        found = self._query(
            self._prefix + table,
            partition,
            index_name=index.name,
            range_key_condition=Path([index.sort]) <= value_of(until) if until else None,
            scan_index_forward=True,
            limit=limit,
        )
        return [Key(table, item["partition"], item["sort"]) for item in found]

    def timeline(
        self, table: str, index: Index, partition: str, *, before: str | None, limit: int
    ) -> list[Item]:
        return self._query(
            self._prefix + table,
            partition,
            index_name=index.name,
            range_key_condition=Path([index.sort]) < value_of(before) if before else None,
            scan_index_forward=False,
            limit=limit,
        )

    def write(self, changes: Sequence[Change]) -> None:
        try:
            if len(changes) == 1 and not isinstance(changes[0], Check):
                self._write_one(changes[0])
            else:
                self._write_all(changes)
        except ERRORS as error:
            order = _sent_order(changes)
            reasons = failed_conditions(error)
            if reasons is None:
                explain(error)
            failed = {
                order[position]: reason
                for position, reason in enumerate(reasons)
                if reason is not None
            }
            raise Rejected(self._old_items(changes, failed)) from error

    def _write_one(self, change: Change) -> None:
        """Write a single item by itself, at half the price of a transaction."""
        operation = {PutItem: "PutItem", Update: "UpdateItem", Delete: "DeleteItem"}[type(change)]
        self.connection.dispatch(operation, self._request(change))

    def _write_all(self, changes: Sequence[Change]) -> None:
        requests: dict[type[Change], list[dict[str, Any]]] = {kind: [] for kind in _SENT}
        for change in changes:
            requests[type(change)].append(self._request(change))
        self.connection.transact_write_items(
            condition_check_items=requests[Check],
            delete_items=requests[Delete],
            put_items=requests[PutItem],
            update_items=requests[Update],
        )

    def _request(self, change: Change) -> dict[str, Any]:
        put = isinstance(change, PutItem)
        request: dict[str, Any] = self.connection.get_operation_kwargs(
            self._prefix + change.key.table,
            change.key.partition,
            change.key.sort,
            key="Item" if put else "Key",
            attributes=attributes_of(change.item) if isinstance(change, PutItem) else None,
            actions=actions_of(change) if isinstance(change, Update) else None,
            condition=all_of(change.when),
            return_values_on_condition_failure="ALL_OLD" if change.when else None,
        )
        return request

    def _old_items(
        self, changes: Sequence[Change], failed: Mapping[int, Mapping[str, Any]]
    ) -> dict[int, Item | None]:
        """Return the items as they were; where none came along, as they are."""
        items: dict[int, Item | None] = {
            position: item_of(reason["Item"]) if reason.get("Item") else None
            for position, reason in failed.items()
        }
        missing = [changes[position].key for position, item in items.items() if item is None]
        found = dict(zip(missing, self.read(missing), strict=True)) if missing else {}
        return {
            position: found[changes[position].key] if item is None else item
            for position, item in items.items()
        }

    def _get(self, key: Key[Any]) -> dict[Key[Any], Item]:
        with _explained():
            answer = self.connection.get_item(
                self._prefix + key.table, key.partition, key.sort, consistent_read=True
            )
        return {key: item_of(answer["Item"])} if "Item" in answer else {}

    def _get_batch(self, keys: Sequence[Key[Any]]) -> dict[Key[Any], Item]:
        wanted: dict[str, Any] = {}
        for key in keys:
            table = wanted.setdefault(
                self._prefix + key.table, {"ConsistentRead": True, "Keys": []}
            )
            table["Keys"].append({"partition": typed(key.partition), "sort": typed(key.sort)})
        found: dict[Key[Any], Item] = {}
        for _ in range(BATCH_ROUNDS_MAX):
            with _explained():
                answer = self.connection.dispatch("BatchGetItem", {"RequestItems": wanted})
            found |= self._items_by_key(answer["Responses"])
            wanted = answer.get("UnprocessedKeys") or {}
            if not wanted:
                return found
        raise Contended("a batch read stays incomplete")

    def _items_by_key(self, responses: Mapping[str, Any]) -> Iterator[tuple[Key[Any], Item]]:
        for table, items in responses.items():
            for item in map(item_of, items):
                key = Key[Any](table.removeprefix(self._prefix), item["partition"], item["sort"])
                yield key, item

    def _query(self, table: str, partition: str, *, limit: int, **asked: Any) -> list[Item]:
        """Read up to *limit* items, also where they are more than one answer holds (1 MB)."""
        items: list[Item] = []
        while True:
            left = limit - len(items)
            with _explained():
                answer = self.connection.query(table, partition, limit=left, **asked)
            items += map(item_of, answer["Items"])
            asked["exclusive_start_key"] = answer.get("LastEvaluatedKey")
            if len(items) >= limit or not asked["exclusive_start_key"]:
                return items


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ERRORS as error:
        explain(error)


def _sent_order(changes: Sequence[Change]) -> list[int]:
    """Return the positions of the changes in the order in which pynamodb sends them."""
    return sorted(range(len(changes)), key=lambda position: _SENT.index(type(changes[position])))
