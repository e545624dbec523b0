"""Doorbells and mailboxes over SQS. Whatever goes wrong here, the sweeper mends."""

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from wharfage import trace
from wharfage.domain import limits
from wharfage.domain.errors import Unavailable
from wharfage.messages import Doorbell, Nudge

BATCH_MAX = 10  #: Messages in one send.
RETENTION_SECONDS = 24 * 3600
VISIBILITY_SECONDS = 30
_CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1})
_GONE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

log = logging.getLogger(__name__)


def pool_queue(prefix: str, pool: str) -> str:
    """Name the queue that all hosts of a pool take doorbells from."""
    return f"{prefix}pool-{pool}"


def mailbox_queue(prefix: str, host: str) -> str:
    """Name the queue that is one host's own."""
    return f"{prefix}host-{host}"


class SqsQueue:
    """`ports.Queue` over boto3."""

    def __init__(self, *, prefix: str, region: str, endpoint: str | None) -> None:
        """*prefix* is what the names of this stage's queues begin with."""
        self._prefix = prefix
        self._region = region
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._made: Any = None
        self._urls: dict[str, str] = {}

    def ring(self, pool: str, bells: Sequence[Doorbell]) -> None:
        """Tell a pool that there may be work. Never raises."""
        queue = pool_queue(self._prefix, pool)
        for batch in _batches(bells):
            self._send(queue, [(msgspec.json.encode(bell), bell.traceparent) for bell in batch])

    def nudge(self, host: str) -> None:
        """Tell a host to look at its assignments. Never raises."""
        body = msgspec.json.encode(Nudge(host=host))
        self._send(mailbox_queue(self._prefix, host), [(body, None)])

    def open_mailbox(self, host: str) -> str:
        """Make the host's own queue and return its name; a repeat agrees. Raises: Unavailable."""
        name = mailbox_queue(self._prefix, host)
        attributes = {
            "MessageRetentionPeriod": str(RETENTION_SECONDS),
            "VisibilityTimeout": str(VISIBILITY_SECONDS),
        }
        try:
            self._client.create_queue(QueueName=name, Attributes=attributes)
        except (ClientError, BotoCoreError):
            log.warning("mailbox not made", extra={"action": "open_mailbox", "host_id": host})
            raise Unavailable from None
        return name

    def close_mailbox(self, host: str) -> None:
        """Delete the host's own queue; a repeat agrees. Raises: Unavailable."""
        name = mailbox_queue(self._prefix, host)
        try:
            self._client.delete_queue(QueueUrl=self._url(name))
        except (ClientError, BotoCoreError) as error:
            if _code(error) not in _GONE:
                log.warning("mailbox kept", extra={"action": "close_mailbox", "host_id": host})
                raise Unavailable from None
        self._urls.pop(name, None)

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                import boto3

                self._made = boto3.client(
                    "sqs", region_name=self._region, endpoint_url=self._endpoint, config=_CONFIG
                )
            return self._made

    def _url(self, name: str) -> str:
        if name not in self._urls:
            self._urls[name] = self._client.get_queue_url(QueueName=name)["QueueUrl"]
        return self._urls[name]

    def _send(self, name: str, messages: Sequence[tuple[bytes, str | None]]) -> None:
        entries = [
            {"Id": str(place), "MessageBody": body.decode(), "MessageAttributes": _trace(parent)}
            for place, (body, parent) in enumerate(messages)
        ]
        assert all(len(body) <= limits.DOORBELL_BYTES_MAX for body, _ in messages)
        try:
            answer = self._client.send_message_batch(QueueUrl=self._url(name), Entries=entries)
        except (ClientError, BotoCoreError) as error:
            # A queue may have been made anew under another address.
            self._urls.pop(name, None)
            facts = {"action": "send", "queue": name, "error_code": _code(error)}
            log.warning("bells lost", extra=facts)
            return
        if failed := answer.get("Failed"):
            lost = {"action": "send", "queue": name, "lost": len(failed)}
            log.warning("bells lost", extra=lost)


def _batches(bells: Sequence[Doorbell]) -> Iterator[Sequence[Doorbell]]:
    for start in range(0, len(bells), BATCH_MAX):
        yield bells[start : start + BATCH_MAX]


def _trace(parent: str | None) -> dict[str, dict[str, str]]:
    value = parent or trace.current()
    return {"traceparent": {"DataType": "String", "StringValue": value}} if value else {}


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return type(error).__name__
