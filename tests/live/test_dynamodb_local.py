"""The two DynamoDBs of the tests: both give the old item of a failed condition."""

from contextlib import closing

import boto3
import pytest
from botocore.exceptions import ClientError


@pytest.fixture(params=["dynamodb_endpoint", "ministack_dynamodb_endpoint"])
def table(request):
    """Give a client and the name of a fresh table on each of the two."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=request.getfixturevalue(request.param),
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name = "wharfage-probe"
    with closing(client):
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client, name
        client.delete_table(TableName=name)


def test_a_failed_condition_of_a_transaction_gives_the_old_item(table):
    client, name = table
    client.put_item(TableName=name, Item={"key": {"S": "a"}, "amount": {"N": "3"}})
    put = {
        "TableName": name,
        "Item": {"key": {"S": "a"}},
        "ConditionExpression": "attribute_not_exists(#k)",
        "ExpressionAttributeNames": {"#k": "key"},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    with pytest.raises(ClientError) as caught:
        client.transact_write_items(TransactItems=[{"Put": put}])

    (reason,) = caught.value.response["CancellationReasons"]
    assert reason["Code"] == "ConditionalCheckFailed"
    assert reason["Item"] == {"key": {"S": "a"}, "amount": {"N": "3"}}
