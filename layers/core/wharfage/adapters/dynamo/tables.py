"""The six tables as pynamodb models: names, keys, indexes, attribute types.

`wharfage.schema` and `infrastructure/tables.yaml` are tested equal to it.
"""

from collections.abc import Mapping
from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.connection.base import Connection, MetaTable
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model


class DueIndex(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """What has a deadline, by kind, oldest first."""

    class Meta:
        index_name = "due"
        projection = KeysOnlyProjection()

    due = UnicodeAttribute(hash_key=True)
    due_at = UnicodeAttribute(range_key=True)


class ReadyIndex(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """Work that waits for a host, by pool, oldest first."""

    class Meta:
        index_name = "ready"
        projection = KeysOnlyProjection()

    ready = UnicodeAttribute(hash_key=True)
    ready_at = UnicodeAttribute(range_key=True)


class TimelineIndex(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """What an account is shown in the order of time."""

    class Meta:
        index_name = "timeline"
        projection = AllProjection()

    timeline = UnicodeAttribute(hash_key=True)
    timeline_at = UnicodeAttribute(range_key=True)


class Accounts(Model):
    """Accounts, sessions, idempotency keys, rate windows."""

    class Meta:
        table_name = "accounts"

    partition = UnicodeAttribute(hash_key=True)
    sort = UnicodeAttribute(range_key=True)
    ttl = NumberAttribute(null=True)
    due_index = DueIndex()


class Money(Model):
    """Balances, entries, holds, orders, payments. Nothing here is ever deleted by time."""

    class Meta:
        table_name = "money"

    partition = UnicodeAttribute(hash_key=True)
    sort = UnicodeAttribute(range_key=True)
    due_index = DueIndex()
    timeline_index = TimelineIndex()


class Work(Model):
    """Jobs, their specifications, their attempts."""

    class Meta:
        table_name = "work"

    partition = UnicodeAttribute(hash_key=True)
    sort = UnicodeAttribute(range_key=True)
    due_index = DueIndex()
    ready_index = ReadyIndex()


class Hosts(Model):
    """Hosts, what they should hold, and enrolment codes."""

    class Meta:
        table_name = "hosts"

    partition = UnicodeAttribute(hash_key=True)
    sort = UnicodeAttribute(range_key=True)
    ttl = NumberAttribute(null=True)
    due_index = DueIndex()


class Logs(Model):
    """What containers wrote."""

    class Meta:
        table_name = "logs"

    partition = UnicodeAttribute(hash_key=True)
    sort = UnicodeAttribute(range_key=True)
    ttl = NumberAttribute(null=True)


class Events(Model):
    """What happened, immutable."""

    class Meta:
        table_name = "events"

    partition = UnicodeAttribute(hash_key=True)
    sort = UnicodeAttribute(range_key=True)


#: The model of each table, by the name that `wharfage.schema` gives it.
MODELS: Mapping[str, type[Model]] = {
    model.Meta.table_name: model for model in (Accounts, Money, Work, Hosts, Logs, Events)
}


def definition(model: type[Model]) -> dict[str, Any]:
    """Describe a table as DynamoDB does: keys, indexes, and the types of their attributes."""
    described = model._get_schema()  # noqa: SLF001 - pynamodb has no public word for it
    return {
        "KeySchema": described["key_schema"],
        "AttributeDefinitions": described["attribute_definitions"],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index["index_name"],
                "KeySchema": index["key_schema"],
                "Projection": index["projection"],
            }
            for index in described["global_secondary_indexes"]
        ],
    }


def meta_tables(prefix: str) -> list[MetaTable]:
    """Describe all tables to a connection, so that it need not ask."""
    return [
        MetaTable({"TableName": prefix + name, **definition(model)})
        for name, model in MODELS.items()
    ]


def create_tables(connection: Connection, prefix: str) -> None:
    """Make the tables that are not there yet, for tests and for a DynamoDB on this machine.

    On AWS the template makes them.
    """
    there = set(connection.list_tables(limit=100)["TableNames"])
    for name, model in MODELS.items():
        if prefix + name in there:
            continue
        described = model._get_schema()  # noqa: SLF001
        connection.create_table(
            prefix + name,
            attribute_definitions=described["attribute_definitions"],
            key_schema=described["key_schema"],
            global_secondary_indexes=described["global_secondary_indexes"] or None,
            billing_mode=PAY_PER_REQUEST_BILLING_MODE,
        )


def delete_tables(connection: Connection, prefix: str) -> None:
    """Delete what `create_tables` made."""
    for name in MODELS:
        connection.delete_table(prefix + name)
