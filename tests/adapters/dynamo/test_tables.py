"""The tables as rows and a local DynamoDB are told of them; the contract tests hold the rest."""

from moto import mock_aws
from pynamodb.connection.base import Connection

from wharfage.adapters.dynamo.tables import create_tables, delete_tables, meta_tables
from wharfage.schema import TABLES


def test_every_table_has_the_prefix_and_its_indexes():
    tables = {table.table_name: table for table in meta_tables("wharfage-x-")}

    assert tables.keys() == {f"wharfage-x-{name}" for name in TABLES}
    for name, indexes in TABLES.items():
        table = tables[f"wharfage-x-{name}"]
        assert (table.hash_keyname, table.range_keyname) == ("partition", "sort")
        for index in indexes:
            assert table.get_index_hash_keyname(index.name) == index.partition
            assert table.get_index_range_keyname(index.name) == index.sort


@mock_aws
def test_tables_are_made_and_deleted(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    connection = Connection(region="us-east-1")

    create_tables(connection, "wharfage-x-")
    made = connection.list_tables()["TableNames"]
    delete_tables(connection, "wharfage-x-")

    assert sorted(made) == sorted(f"wharfage-x-{name}" for name in TABLES)
    assert connection.list_tables()["TableNames"] == []
