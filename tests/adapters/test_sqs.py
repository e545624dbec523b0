"""Doorbells over SQS, against moto in this process: they arrive, or are lost in silence."""

from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from wharfage import trace
from wharfage.adapters.sqs import SqsQueue
from wharfage.domain.errors import Unavailable
from wharfage.messages import Doorbell, Nudge

REGION = "eu-central-1"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def sqs(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("sqs", region_name=REGION)
        client.create_queue(QueueName="wharfage-test-pool-default")
        yield client


@pytest.fixture
def queue(sqs) -> SqsQueue:
    return SqsQueue(prefix="wharfage-test-", region=REGION, endpoint=None)


def bell(number: int, traceparent: str | None = None) -> Doorbell:
    return Doorbell(account="usr_1", job=f"job_{number}", attempt=1, traceparent=traceparent)


def received(sqs, name: str) -> list[dict[str, Any]]:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: list[dict[str, Any]] = []
    while answer := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        found += answer
    return found


def test_every_bell_arrives_in_batches_of_ten(sqs, queue):
    queue.ring("default", [bell(number) for number in range(23)])

    messages = received(sqs, "wharfage-test-pool-default")
    jobs = {msgspec.json.decode(each["Body"], type=Doorbell).job for each in messages}
    assert jobs == {f"job_{number}" for number in range(23)}
    assert max(len(each["Body"]) for each in messages) <= 1024


def test_a_bell_carries_its_trace_or_that_of_the_work_at_hand(sqs, queue):
    with trace.following(PARENT):
        queue.ring("default", [bell(1)])
    queue.ring("default", [bell(2, traceparent=PARENT)])
    queue.ring("default", [bell(3)])

    carried = [
        each.get("MessageAttributes", {}).get("traceparent", {}).get("StringValue")
        for each in received(sqs, "wharfage-test-pool-default")
    ]
    assert sorted(carried, key=str) == [PARENT, PARENT, None]


def test_a_mailbox_is_made_told_and_closed_and_repeats_agree(sqs, queue):
    name = queue.open_mailbox("hst_1")

    assert queue.open_mailbox("hst_1") == name == "wharfage-test-host-hst_1"
    queue.nudge("hst_1")
    messages = received(sqs, name)
    assert [msgspec.json.decode(each["Body"], type=Nudge).host for each in messages] == ["hst_1"]
    queue.close_mailbox("hst_1")
    queue.close_mailbox("hst_1")
    assert "host" not in str(sqs.list_queues().get("QueueUrls"))


def test_a_bell_to_a_queue_that_is_not_there_is_lost_and_said(queue, caplog):
    queue.ring("nowhere", [bell(1)])
    queue.nudge("hst_2")

    assert [record.message for record in caplog.records] == ["bells lost", "bells lost"]


def test_a_queue_that_is_made_anew_is_found_again(sqs, queue):
    queue.ring("default", [bell(1)])
    url = sqs.get_queue_url(QueueName="wharfage-test-pool-default")["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    queue.ring("default", [bell(2)])
    sqs.create_queue(QueueName="wharfage-test-pool-default")

    queue.ring("default", [bell(3)])

    assert len(received(sqs, "wharfage-test-pool-default")) == 1


def test_an_endpoint_that_is_away_loses_bells_and_refuses_mailboxes(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    away = SqsQueue(prefix="wharfage-test-", region=REGION, endpoint="http://127.0.0.1:9")

    away.ring("default", [bell(1)])

    with pytest.raises(Unavailable):
        away.open_mailbox("hst_1")
    with pytest.raises(Unavailable):
        away.close_mailbox("hst_1")
