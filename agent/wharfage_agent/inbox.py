"""The host's queues: doorbells of its pool, and nudges in its own mailbox."""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import botocore.config
import botocore.exceptions
import botocore.session
import msgspec

from wharfage.messages import CredentialsReply, Doorbell
from wharfage_agent.errors import InboxAway
from wharfage_agent.ports import Bell, Clock, Cloud

log = logging.getLogger(__name__)

BATCH_MAX = 10
CONNECT_SECONDS = 5
READ_SECONDS = 30  #: Longer than the longest poll.
FRESH_SECONDS = 60  #: Credentials with less left than this are fetched again.

T = TypeVar("T")


class SqsInbox:
    """Both queues over SQS. Used by two threads, with one set of credentials."""

    def __init__(self, cloud: Cloud, clock: Clock, *, token_changed: Callable[[str], None]) -> None:
        self._cloud = cloud
        self._clock = clock
        self._token_changed = token_changed
        self._lock = threading.Lock()
        self._credentials: CredentialsReply | None = None
        self._client: Any = None
        # It keeps what it has read of the service: a session a client would cost 10 MB each time.
        self._session = botocore.session.get_session()

    def receive(self, *, at_most: int, wait_seconds: int) -> list[Bell]:
        """Wait for doorbells. Raises: InboxAway, and what Cloud raises."""
        return self._try(lambda sqs, queues: self._receive(sqs, queues, at_most, wait_seconds))

    def delete(self, bells: Sequence[Bell]) -> None:
        """Delete doorbells, ten at a time. What is not deleted is only heard again."""
        for begins in range(0, len(bells), BATCH_MAX):
            batch = bells[begins : begins + BATCH_MAX]
            self._try(partial(_delete, receipts=[bell.receipt for bell in batch]))

    def nudged(self, *, wait_seconds: int) -> bool:
        """Wait for a nudge and take it out. What it says is always the same."""
        return self._try(lambda sqs, queues: _nudged(sqs, queues, wait_seconds))

    def _receive(
        self, sqs: Any, queues: CredentialsReply, at_most: int, wait_seconds: int
    ) -> list[Bell]:
        answer = sqs.receive_message(
            QueueUrl=queues.pool_queue_url,
            MaxNumberOfMessages=at_most,
            WaitTimeSeconds=wait_seconds,
        )
        return [Bell(_doorbell(m["Body"]), m["ReceiptHandle"]) for m in answer.get("Messages", ())]

    def _try(self, call: Callable[[Any, CredentialsReply], T]) -> T:
        """Make a call. Expired, invalid, not there: in each case the next one asks anew."""
        client, queues = self._connected()
        try:
            return call(client, queues)
        except botocore.exceptions.ClientError as error:
            self._forget(client)
            raise InboxAway(str(error)) from error
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise InboxAway(str(error)) from error

    def _connected(self) -> tuple[Any, CredentialsReply]:
        with self._lock:
            if self._credentials is not None and self._fresh(self._credentials):
                return self._client, self._credentials
            queues = self._cloud.credentials()
            if queues.token is not None:
                self._token_changed(queues.token)
            self._client = self._open(queues)
            self._credentials = queues
            return self._client, queues

    def _open(self, queues: CredentialsReply) -> Any:
        return self._session.create_client(
            "sqs",
            region_name=queues.region,
            endpoint_url=queues.sqs_endpoint,
            aws_access_key_id=queues.access_key_id,
            aws_secret_access_key=queues.secret_access_key,
            aws_session_token=queues.session_token,
            config=botocore.config.Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": 1},
                max_pool_connections=4,
            ),
        )

    def _fresh(self, credentials: CredentialsReply) -> bool:
        left = (credentials.expires_at - self._clock.now()).total_seconds()
        return left > FRESH_SECONDS

    def _forget(self, client: Any) -> None:
        with self._lock:
            if self._client is client:  # The other thread may have fetched new ones already.
                self._credentials = None


def _delete(sqs: Any, queues: CredentialsReply, *, receipts: Sequence[str]) -> None:
    sqs.delete_message_batch(QueueUrl=queues.pool_queue_url, Entries=_entries(receipts))


def _entries(receipts: Sequence[str]) -> list[dict[str, str]]:
    return [{"Id": str(place), "ReceiptHandle": text} for place, text in enumerate(receipts)]


def _nudged(sqs: Any, queues: CredentialsReply, wait_seconds: int) -> bool:
    answer = sqs.receive_message(
        QueueUrl=queues.mailbox_queue_url,
        MaxNumberOfMessages=BATCH_MAX,
        WaitTimeSeconds=wait_seconds,
    )
    messages = answer.get("Messages", ())
    if not messages:
        return False
    # Before the assignments are read: a nudge that comes later is heard again.
    sqs.delete_message_batch(
        QueueUrl=queues.mailbox_queue_url,
        Entries=_entries([message["ReceiptHandle"] for message in messages]),
    )
    return True


def _doorbell(text: str) -> Doorbell | None:
    try:
        return msgspec.json.decode(text, type=Doorbell)
    except msgspec.DecodeError:
        log.warning("A doorbell cannot be read")
        return None
