"""The emulator holds an agent to its session policy, which is why it may stand in for AWS."""

import json
import os
import signal
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infrastructure.local import emulator as emulators
from infrastructure.local.emulator import POOL_QUEUE, REGION, Emulator, queue_policy
from infrastructure.local.ports import Ports
from infrastructure.local.process import Process
from tests.fixtures.children import home

MAILBOX = "wharfage-local-host-hst1"
FOREIGN = "somebody-elses"


@pytest.fixture(scope="module")
def urls(emulator):
    """Make a mailbox and a foreign queue beside the pool's, with a message in each."""
    with closing(emulator.client("sqs")) as sqs:
        found = {}
        for name in (POOL_QUEUE, MAILBOX, FOREIGN):
            found[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
            sqs.send_message(QueueUrl=found[name], MessageBody="doorbell")
        yield found
        sqs.delete_queue(QueueUrl=found[MAILBOX])
        sqs.delete_queue(QueueUrl=found[FOREIGN])
        sqs.purge_queue(QueueUrl=found[POOL_QUEUE])


def session(emulator: Emulator, policy: dict[str, Any] | None) -> dict[str, str]:
    """Assume the agents' role, limited by *policy*; give a client's arguments."""
    limits = {} if policy is None else {"Policy": json.dumps(policy)}
    with closing(emulator.client("sts")) as sts:
        answer = sts.assume_role(
            RoleArn=emulator.role_arn, RoleSessionName="host", DurationSeconds=900, **limits
        )
    return {
        "aws_access_key_id": answer["Credentials"]["AccessKeyId"],
        "aws_secret_access_key": answer["Credentials"]["SecretAccessKey"],
        "aws_session_token": answer["Credentials"]["SessionToken"],
    }


def sqs_with(emulator: Emulator, credentials: dict[str, str]):
    return closing(
        boto3.client("sqs", endpoint_url=emulator.endpoint, region_name=REGION, **credentials)
    )


@pytest.fixture(scope="module")
def agent(emulator):
    """Give SQS as an agent of the default pool sees it."""
    with sqs_with(emulator, session(emulator, queue_policy(POOL_QUEUE))) as client:
        yield client


def refusal(call, **arguments) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return str(caught.value.response["Error"]["Code"])


def test_an_agent_may_receive_extend_and_delete_on_its_own_queue(agent, emulator, urls):
    url = urls[POOL_QUEUE]
    with closing(emulator.client("sqs")) as root:
        root.purge_queue(QueueUrl=url)
        for number in range(4):
            root.send_message(QueueUrl=url, MessageBody=str(number))

    messages = agent.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    one, two, three, four = (message["ReceiptHandle"] for message in messages)
    agent.change_message_visibility(QueueUrl=url, ReceiptHandle=one, VisibilityTimeout=60)
    agent.delete_message(QueueUrl=url, ReceiptHandle=one)
    entry = {"Id": "1", "ReceiptHandle": two, "VisibilityTimeout": 60}
    extended = agent.change_message_visibility_batch(QueueUrl=url, Entries=[entry])
    entries = [{"Id": handle[:8], "ReceiptHandle": handle} for handle in (two, three, four)]
    deleted = agent.delete_message_batch(QueueUrl=url, Entries=entries)

    assert len(extended["Successful"]) == 1
    assert len(deleted["Successful"]) == 3


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("send_message", {"MessageBody": "forged"}),
        ("send_message_batch", {"Entries": [{"Id": "1", "MessageBody": "forged"}]}),
        ("purge_queue", {}),
        ("delete_queue", {}),
        ("get_queue_attributes", {}),
        ("set_queue_attributes", {"Attributes": {"VisibilityTimeout": "0"}}),
    ],
)
def test_an_agent_may_do_nothing_else_with_its_own_queue(agent, urls, operation, arguments):
    call = getattr(agent, operation)

    assert refusal(call, QueueUrl=urls[POOL_QUEUE], **arguments) == "AccessDenied"


@pytest.mark.parametrize("queue", [MAILBOX, FOREIGN])
def test_an_agent_may_not_touch_another_queue(agent, urls, queue):
    url = urls[queue]

    assert refusal(agent.receive_message, QueueUrl=url) == "AccessDenied"
    assert refusal(agent.delete_message, QueueUrl=url, ReceiptHandle="x") == "AccessDenied"
    assert refusal(agent.send_message, QueueUrl=url, MessageBody="forged") == "AccessDenied"


def test_an_agent_may_not_list_or_make_queues_or_roles(agent, emulator):
    credentials = session(emulator, queue_policy(POOL_QUEUE))
    made = boto3.client("iam", endpoint_url=emulator.endpoint, region_name=REGION, **credentials)

    with closing(made) as iam:
        assert refusal(agent.list_queues) == "AccessDenied"
        assert refusal(agent.create_queue, QueueName="mine") == "AccessDenied"
        assert refusal(iam.list_roles) == "AccessDenied"


def test_a_session_policy_cannot_widen_the_role(emulator, urls):
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}],
    }

    with sqs_with(emulator, session(emulator, everything)) as sqs:
        assert "Messages" in sqs.receive_message(QueueUrl=urls[MAILBOX])
        assert refusal(sqs.receive_message, QueueUrl=urls[FOREIGN]) == "AccessDenied"
        assert refusal(sqs.send_message, QueueUrl=urls[MAILBOX], MessageBody="x") == "AccessDenied"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"aws_secret_access_key": "x" * 40}, "SignatureDoesNotMatch"),
        ({"aws_session_token": "forged"}, "InvalidClientTokenId"),
        ({"aws_session_token": None}, "InvalidClientTokenId"),
        ({"aws_access_key_id": "ASIAUNKNOWNUNKNOWN00"}, "InvalidClientTokenId"),
    ],
)
def test_forged_credentials_are_refused(emulator, urls, changed, code):
    forged = session(emulator, queue_policy(POOL_QUEUE)) | changed

    with sqs_with(emulator, forged) as sqs:
        assert refusal(sqs.receive_message, QueueUrl=urls[POOL_QUEUE]) == code


def test_a_killed_emulator_has_its_role_and_queues_again_after_the_next_start(tmp_path):
    paths = home(tmp_path)
    found = Emulator(port=Ports(paths.ports).take("emulator"))
    process = Process(emulators.emulator(paths, found), paths)
    process.start()
    try:
        process.wait_ready()
        before = session(found, queue_policy(POOL_QUEUE))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.clear()

        process.start()
        process.wait_ready()

        with closing(found.client("sqs")) as sqs:
            url = sqs.get_queue_url(QueueName=POOL_QUEUE)["QueueUrl"]
        with sqs_with(found, session(found, queue_policy(POOL_QUEUE))) as sqs:
            sqs.receive_message(QueueUrl=url)
        with sqs_with(found, before) as sqs:
            assert refusal(sqs.receive_message, QueueUrl=url) == "InvalidClientTokenId"
    finally:
        process.stop()


def test_it_listens_on_loopback_only(emulator):
    listening = listeners()

    assert ("0100007F", emulator.port) in listening
    assert ("00000000", emulator.port) not in listening


def listeners() -> set[tuple[str, int]]:
    """Read who listens on IPv4: the address as the kernel writes it, and the port."""
    found = set()
    with open("/proc/net/tcp") as table:  # noqa: PTH123 - it is no file of ours.
        for line in list(table)[1:]:
            _, local, _, state = line.split()[:4]
            address, port = local.split(":")
            if state == "0A":
                found.add((address, int(port, 16)))
    return found
