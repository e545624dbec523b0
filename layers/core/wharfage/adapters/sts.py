"""Queue credentials for hosts: an assumed role, narrowed by a session policy to two queues."""

import json
import logging
import threading
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from wharfage.adapters.sqs import pool_queue
from wharfage.domain.errors import Unavailable
from wharfage.ports import QueueCredentials

SESSION_SECONDS = 900  #: STS's shortest, for such sessions cannot be revoked.
#: AWS counts a batch as its single action; other implementations of SQS want it by name.
_ACTIONS = (
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:DeleteMessageBatch",
    "sqs:ChangeMessageVisibility",
    "sqs:ChangeMessageVisibilityBatch",
)
_CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1})
_SESSION_NAME_CHARACTERS_MAX = 64

log = logging.getLogger(__name__)


class StsCredentialIssuer:
    """`ports.CredentialIssuer` over boto3."""

    def __init__(
        self,
        *,
        role_arn: str,
        prefix: str,
        region: str,
        sts_endpoint: str | None,
        sqs_endpoint: str | None,
    ) -> None:
        """*role_arn* is the role of all hosts; it may receive from every queue of the stage."""
        self._role_arn = role_arn
        self._prefix = prefix
        self._region = region
        self._sts_endpoint = sts_endpoint
        self._sqs_endpoint = sqs_endpoint
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    def issue(self, *, host: str, pool: str, mailbox: str) -> QueueCredentials:
        """Make credentials for this host's pool queue and mailbox. Raises: Unavailable."""
        pool_name = pool_queue(self._prefix, pool)
        try:
            pool_url, mailbox_url = self._url(pool_name), self._url(mailbox)
            answer = self._client("sts").assume_role(
                RoleArn=self._role_arn,
                RoleSessionName=host[:_SESSION_NAME_CHARACTERS_MAX],
                DurationSeconds=SESSION_SECONDS,
                Policy=self._policy([pool_name, mailbox]),
            )
        except (ClientError, BotoCoreError):
            log.warning("no credentials", extra={"action": "issue", "host_id": host})
            raise Unavailable from None
        found = answer["Credentials"]
        return QueueCredentials(
            access_key_id=found["AccessKeyId"],
            secret_access_key=found["SecretAccessKey"],
            session_token=found["SessionToken"],
            expires_at=found["Expiration"],
            region=self._region,
            sqs_endpoint=self._sqs_endpoint,
            pool_queue_url=pool_url,
            mailbox_queue_url=mailbox_url,
        )

    def _policy(self, queues: list[str]) -> str:
        partition, account = self._role_arn.split(":")[1], self._role_arn.split(":")[4]
        arns = [f"arn:{partition}:sqs:{self._region}:{account}:{queue}" for queue in queues]
        statement = {"Effect": "Allow", "Action": list(_ACTIONS), "Resource": arns}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def _url(self, name: str) -> str:
        return str(self._client("sqs").get_queue_url(QueueName=name)["QueueUrl"])

    def _client(self, service: str) -> Any:
        endpoint = self._sts_endpoint if service == "sts" else self._sqs_endpoint
        with self._lock:
            if service not in self._clients:
                import boto3

                self._clients[service] = boto3.client(
                    service, region_name=self._region, endpoint_url=endpoint, config=_CONFIG
                )
            return self._clients[service]
