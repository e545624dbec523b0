"""The schema, the pynamodb models and the CloudFormation stack speak of the same six tables."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from wharfage.adapters.dynamo.tables import MODELS, definition
from wharfage.schema import KINDS, TABLES, TTL

STACK = Path(__file__).parents[2] / "infrastructure" / "tables.yaml"


class Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they hold."""


Template.add_multi_constructor("!", lambda loader, suffix, node: {suffix: node.value})


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(STACK.read_text(), Template)
    return loaded


@pytest.fixture(scope="module")
def stack(template) -> dict[str, dict[str, Any]]:
    """The properties of each table, by the name that the schema gives it."""
    return {
        each["Properties"]["TableName"]["Sub"].removeprefix("wharfage-${Stage}-"): each
        for each in template["Resources"].values()
    }


def wanted(name: str) -> dict[str, Any]:
    """What the schema says of a table, in DynamoDB's words."""
    keys = [("partition", "sort"), *((each.partition, each.sort) for each in TABLES[name])]
    return {
        "KeySchema": _key_schema("partition", "sort"),
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": "S"} for key in keys for attribute in key
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index.name,
                "KeySchema": _key_schema(index.partition, index.sort),
                "Projection": {"ProjectionType": index.projection},
            }
            for index in TABLES[name]
        ],
    }


def test_there_is_a_model_and_a_resource_for_each_table_and_no_other(stack):
    assert MODELS.keys() == TABLES.keys()
    assert stack.keys() == TABLES.keys()


@pytest.mark.parametrize("name", TABLES)
def test_a_model_has_the_keys_indexes_and_types_of_the_schema(name):
    assert ordered(definition(MODELS[name])) == ordered(wanted(name))


@pytest.mark.parametrize("name", TABLES)
def test_a_resource_has_the_keys_indexes_and_types_of_the_schema(name, stack):
    properties = {"GlobalSecondaryIndexes": [], **stack[name]["Properties"]}

    assert ordered({part: properties[part] for part in wanted(name)}) == ordered(wanted(name))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_deletes_by_time_exactly_if_a_kind_in_it_says_so(name, stack):
    expires = any(kind.ttl for kind in KINDS if kind.table == name)

    found = stack[name]["Properties"].get("TimeToLiveSpecification")

    assert found == ({"AttributeName": TTL, "Enabled": True} if expires else None)
    assert (TTL in MODELS[name].get_attributes()) == expires


def test_no_money_is_deleted_by_time():
    assert [kind.name for kind in KINDS if kind.table == "money" and kind.ttl] == []


@pytest.mark.parametrize("name", TABLES)
def test_a_table_survives_its_stack_and_can_be_restored(name, stack):
    resource, properties = stack[name], stack[name]["Properties"]

    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    assert properties["DeletionProtectionEnabled"] is True
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_the_stack_gives_the_name_and_the_arn_of_each_table(template):
    assert template["Outputs"] == {
        output: {"Value": value}
        for table in template["Resources"]
        for output, value in (
            (f"{table}Table", {"Ref": table}),
            (f"{table}TableArn", {"GetAtt": f"{table}.Arn"}),
        )
    }


def test_every_kind_lives_in_a_table_and_is_in_indexes_that_it_has():
    for kind in KINDS:
        indexes = {index.name for index in TABLES[kind.table]}
        used = {"due": kind.due, "ready": kind.ready, "timeline": kind.timeline}
        assert {name for name, use in used.items() if use} <= indexes, kind.name


def ordered(table: dict[str, Any]) -> dict[str, Any]:
    """Sort what has no order of its own."""
    return {
        "KeySchema": table["KeySchema"],
        "AttributeDefinitions": sorted(
            (each["AttributeName"], each["AttributeType"]) for each in table["AttributeDefinitions"]
        ),
        "GlobalSecondaryIndexes": sorted(
            table["GlobalSecondaryIndexes"], key=lambda index: str(index["IndexName"])
        ),
    }


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
