"""The agent's inbox on the emulator's SQS, with credentials that an agent would be given."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from infrastructure.local.emulator import REGION, Emulator, queue_policy
from tests.fixtures.queues import CLAIMS, Claims
from wharfage.adapters.sqs import SqsQueue, mailbox_queue, pool_queue
from wharfage.messages import CredentialsReply, Doorbell
from wharfage_agent.errors import InboxAway
from wharfage_agent.inbox import SqsInbox
from wharfage_agent.runtime import SystemClock

BELL = Doorbell(account="acc_0001", job="job_0001", attempt=1)


class Desk:
    """Gives out credentials, and counts how often it is asked."""

    def __init__(self, emulator: Emulator, urls: dict[str, str]) -> None:
        self.emulator, self.urls, self.asked = emulator, urls, 0
        self.lasts = timedelta(minutes=15)
        self.token: str | None = None

    def credentials(self) -> CredentialsReply:
        self.asked += 1
        names = [url.rpartition("/")[2] for url in self.urls.values()]
        with closing(self.emulator.client("sts")) as sts:
            answer = sts.assume_role(
                RoleArn=self.emulator.role_arn,
                RoleSessionName="host",
                DurationSeconds=900,
                Policy=json.dumps(queue_policy(*names)),
            )
        return CredentialsReply(
            access_key_id=answer["Credentials"]["AccessKeyId"],
            secret_access_key=answer["Credentials"]["SecretAccessKey"],
            session_token=answer["Credentials"]["SessionToken"],
            expires_at=datetime.now(UTC) + self.lasts,
            region=REGION,
            sqs_endpoint=self.emulator.endpoint,
            pool_queue_url=self.urls["pool"],
            mailbox_queue_url=self.urls["mailbox"],
            token=self.token,
        )


class Real:
    """A real queue on trial. What is received is hidden for a shorter time than in production."""

    visibility_seconds = 4.0
    prefix = "wharfage-local-"

    def __init__(self, emulator: Emulator, sqs: Any) -> None:
        self.pool = self.host = secrets.token_hex(4)
        self.queue = SqsQueue(prefix=self.prefix, region=REGION, endpoint=emulator.endpoint)
        self.queue.open_mailbox(self.host)
        pool, mailbox = pool_queue(self.prefix, self.pool), mailbox_queue(self.prefix, self.host)
        hidden = {"VisibilityTimeout": f"{self.visibility_seconds:.0f}"}
        urls = {
            "pool": sqs.create_queue(QueueName=pool)["QueueUrl"],
            "mailbox": sqs.get_queue_url(QueueName=mailbox)["QueueUrl"],
        }
        for url in urls.values():
            sqs.set_queue_attributes(QueueUrl=url, Attributes=hidden)
        self.inbox = SqsInbox(
            Desk(emulator, urls),  # type: ignore[arg-type]
            SystemClock(),
            token_changed=lambda token: None,
        )
        self.now = time.monotonic

    def do(self, work: Callable[[], Any]) -> Any:
        return work()

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def later(self, seconds: float, work: Callable[[], object]) -> None:
        threading.Timer(seconds, work).start()


@pytest.fixture
def sqs(emulator: Emulator) -> Iterator[Any]:
    with closing(emulator.client("sqs")) as client:
        yield client


@pytest.fixture
def desk(emulator: Emulator, sqs: Any) -> Iterator[Desk]:
    # The role lets a session have what the agents of this deployment may have, by name.
    names = {
        "pool": f"wharfage-local-pool-{secrets.token_hex(4)}",
        "mailbox": f"wharfage-local-host-{secrets.token_hex(4)}",
    }
    urls = {kind: sqs.create_queue(QueueName=name)["QueueUrl"] for kind, name in names.items()}
    yield Desk(emulator, urls)
    for url in urls.values():
        sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def tokens() -> list[str]:
    return []


@pytest.fixture
def inbox(desk: Desk, tokens: list[str]) -> SqsInbox:
    return SqsInbox(desk, SystemClock(), token_changed=tokens.append)  # type: ignore[arg-type]


def test_doorbells_are_received_and_once_deleted_are_gone(
    inbox: SqsInbox, desk: Desk, sqs: Any
) -> None:
    sqs.send_message(QueueUrl=desk.urls["pool"], MessageBody=msgspec.json.encode(BELL).decode())

    bells = inbox.receive(at_most=10, wait_seconds=2)
    inbox.delete(bells)

    assert [bell.doorbell for bell in bells] == [BELL]
    counts = sqs.get_queue_attributes(QueueUrl=desk.urls["pool"], AttributeNames=["All"])
    assert counts["Attributes"]["ApproximateNumberOfMessages"] == "0"
    assert counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0"
    assert desk.asked == 1


def test_a_doorbell_that_cannot_be_read_can_still_be_deleted(
    inbox: SqsInbox, desk: Desk, sqs: Any
) -> None:
    sqs.send_message(QueueUrl=desk.urls["pool"], MessageBody="{}")

    (bell,) = inbox.receive(at_most=1, wait_seconds=2)

    assert bell.doorbell is None
    assert bell.receipt


def test_a_nudge_is_heard_once(inbox: SqsInbox, desk: Desk, sqs: Any) -> None:
    sqs.send_message(QueueUrl=desk.urls["mailbox"], MessageBody='{"host":"hst_0001"}')

    heard = [inbox.nudged(wait_seconds=1), inbox.nudged(wait_seconds=0)]

    assert heard == [True, False]


def test_a_missing_queue_makes_it_ask_for_credentials_again(
    inbox: SqsInbox, desk: Desk, sqs: Any
) -> None:
    right = desk.urls["pool"]
    desk.urls["pool"] = right + "-gone"
    with pytest.raises(InboxAway):
        inbox.receive(at_most=1, wait_seconds=0)

    desk.urls["pool"] = right
    bells = inbox.receive(at_most=1, wait_seconds=0)

    assert bells == []
    assert desk.asked == 2


def test_credentials_that_are_about_to_expire_are_fetched_again(
    inbox: SqsInbox, desk: Desk
) -> None:
    desk.lasts = timedelta(seconds=30)

    inbox.receive(at_most=1, wait_seconds=0)
    inbox.receive(at_most=1, wait_seconds=0)

    assert desk.asked == 2


def test_a_new_token_is_passed_on(inbox: SqsInbox, desk: Desk, tokens: list[str]) -> None:
    desk.token = "hst_0001.new"

    inbox.receive(at_most=1, wait_seconds=0)

    assert tokens == ["hst_0001.new"]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_real_queue_keeps_each_claim_that_the_simulated_one_keeps(
    claim: str, emulator: Emulator, sqs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", emulator.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", emulator.secret_key)

    getattr(Claims(Real(emulator, sqs)), claim)()
