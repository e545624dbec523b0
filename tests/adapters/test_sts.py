"""Queue credentials, against moto in this process: to take from two queues, for 15 minutes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from wharfage.adapters.sts import StsCredentialIssuer
from wharfage.domain.errors import Unavailable

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/wharfage-test-host"


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


def issuer(**changes: str | None) -> StsCredentialIssuer:
    settings: dict[str, Any] = {
        "role_arn": ROLE,
        "prefix": "wharfage-test-",
        "region": REGION,
        "sts_endpoint": None,
        "sqs_endpoint": None,
    } | changes
    return StsCredentialIssuer(**settings)


@mock_aws
def test_credentials_open_the_hosts_two_queues_for_fifteen_minutes():
    sqs = boto3.client("sqs", region_name=REGION)
    for name in ("wharfage-test-pool-gpu", "wharfage-test-host-hst_1"):
        sqs.create_queue(QueueName=name)

    made = issuer().issue(host="hst_1", pool="gpu", mailbox="wharfage-test-host-hst_1")

    assert made.pool_queue_url.endswith("/wharfage-test-pool-gpu")
    assert made.mailbox_queue_url.endswith("/wharfage-test-host-hst_1")
    assert made.region == REGION
    assert made.session_token
    assert timedelta(0) < made.expires_at - datetime.now(UTC) <= timedelta(seconds=900)


def test_the_session_policy_lets_receive_delete_and_delay_on_two_queues():
    policy = json.loads(issuer()._policy(["wharfage-test-pool-gpu", "wharfage-test-host-hst_1"]))

    assert policy["Statement"] == [
        {
            "Effect": "Allow",
            "Action": [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:DeleteMessageBatch",
                "sqs:ChangeMessageVisibility",
                "sqs:ChangeMessageVisibilityBatch",
            ],
            "Resource": [
                "arn:aws:sqs:eu-central-1:123456789012:wharfage-test-pool-gpu",
                "arn:aws:sqs:eu-central-1:123456789012:wharfage-test-host-hst_1",
            ],
        }
    ]


@mock_aws
def test_without_the_queues_there_are_no_credentials():
    with pytest.raises(Unavailable):
        issuer().issue(host="hst_1", pool="gpu", mailbox="wharfage-test-host-hst_1")


def test_without_an_answer_there_are_no_credentials():
    away = issuer(sts_endpoint="http://127.0.0.1:9", sqs_endpoint="http://127.0.0.1:9")

    with pytest.raises(Unavailable):
        away.issue(host="hst_1", pool="gpu", mailbox="wharfage-test-host-hst_1")
