"""SQS, STS and IAM on loopback: ministack as a child, with our role and queues made at each start.

Facts about ministack 1.5.33, read in its source and held by `tests/live/test_emulator.py`:

- It binds every interface unless `BIND_HOST` says otherwise, and opens an MQTT listener on port
  8883 and an SFTP one unless told not to. It reaps containers on the Docker socket it finds, so it
  is pointed at none.
- `AUTH=true` makes it check signatures, tokens and policies: a role session may do what the role's
  policies *and* the session policy of its AssumeRole allow. Without it every well-formed request
  passes.
- Root is the access key in its own `AWS_ACCESS_KEY_ID`, and also, always, the key `test` and any of
  twelve digits; requests of root are **not** checked for their signature. So it holds an agent to
  the credentials that it was given, but it is no wall against other programs of this machine, nor
  are its `/_ministack/` routes, which need no credentials at all.
- Denied is 403 `AccessDenied`, also for a queue that does not exist; a wrong secret is 403
  `SignatureDoesNotMatch`; a wrong or forgotten token or key, so every session of before a restart,
  is 403 `InvalidClientTokenId`; a missing queue is 400 `AWS.SimpleQueueService.NonExistentQueue`.
- It asks a policy for `sqs:DeleteMessageBatch` where AWS asks for `sqs:DeleteMessage`: a policy
  that is to work at both names both.
- It keeps queues, roles and sessions in memory and forgets them when it ends: `provision` runs
  after every start, agents ask for credentials again, and the sweeper rings lost doorbells again.
- It is ready in 0.5 s and ends on TERM in 0.1 s.
"""

import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infrastructure.local.paths import Paths, made
from infrastructure.local.ports import LOOPBACK
from infrastructure.local.process import ChildFailed, Command, environment
from infrastructure.local.registry import answers
from infrastructure.setup import environments

REGION = "us-east-1"
ACCOUNT = "000000000000"
STAGE_PREFIX = "wharfage-local-"
POOL_QUEUE = f"{STAGE_PREFIX}pool-default"
AGENT_ROLE = "wharfage-agent"

#: All that an agent may do with a queue; its session policy narrows it to its own queues.
AGENT_ACTIONS = (
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:DeleteMessageBatch",  # AWS counts a batch as the single action; ministack does not.
    "sqs:ChangeMessageVisibility",
    "sqs:ChangeMessageVisibilityBatch",
)

_QUEUE_ATTRIBUTES = {"VisibilityTimeout": "30", "MessageRetentionPeriod": "86400"}
_HEALTH = "/_ministack/health"


@dataclass(frozen=True, kw_only=True, slots=True)
class Emulator:
    """An address that speaks AWS, and the credentials that are root there."""

    port: int
    #: New at every start of the stack: it names us, but is no secret (see above).
    access_key: str = field(default_factory=lambda: "LKIA" + secrets.token_hex(8).upper())
    secret_key: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def role_arn(self) -> str:
        """The role that agents' credentials are sessions of."""
        return f"arn:aws:iam::{ACCOUNT}:role/{AGENT_ROLE}"

    def environ(self) -> dict[str, str]:
        """Give the variables by which an AWS SDK in the control plane finds and may use it."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_SQS": self.endpoint,
            "AWS_ENDPOINT_URL_STS": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """Open a boto3 client with root's credentials."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(connect_timeout=1, read_timeout=5, retries={"total_max_attempts": 1}),
        )


def emulator(paths: Paths, found: Emulator, *, queues: Sequence[str] = (POOL_QUEUE,)) -> Command:
    """Make the command that runs *found*, with our role and *queues* in it whenever it is ready."""

    def once_ready() -> None:
        try:
            provision(found, queues=queues)
        except (BotoCoreError, ClientError) as error:
            raise ChildFailed(f"the emulator refused our role or queues: {error}") from error

    return ministack(
        paths,
        name="emulator",
        port=found.port,
        services=("iam", "sqs", "sts"),
        once_ready=once_ready,
        AUTH="true",
        AWS_ACCESS_KEY_ID=found.access_key,
        AWS_SECRET_ACCESS_KEY=found.secret_key,
    )


def ministack(
    paths: Paths,
    *,
    name: str,
    port: int,
    services: Sequence[str],
    once_ready: Any = lambda: None,
    **environ: str,
) -> Command:
    """Make the command that runs ministack with *services* on a loopback port.

    Its Python environment is made from its lock when it is not there yet.
    """
    scratch = paths.stack / name

    return Command(
        name=name,
        argv=(str(_python()), "-m", "ministack"),
        env=environment(
            GATEWAY_PORT=str(port),
            BIND_HOST=LOOPBACK,
            MINISTACK_ACCOUNT_ID=ACCOUNT,
            MINISTACK_REGION=REGION,
            SERVICES=",".join(services),
            PERSIST_STATE="0",
            IOT_MTLS_ENABLED="0",
            SFTP_ENABLED="0",
            DOCKER_HOST=f"unix://{scratch}/no-engine.sock",
            LOG_LEVEL="WARNING",
            TMPDIR=str(scratch),
            **environ,
        ),
        ready=lambda: answers(port, _HEALTH),
        before_start=lambda: _forget(made(scratch)),
        once_ready=once_ready,
        grace_seconds=5,
    )


def provision(found: Emulator, *, queues: Sequence[str]) -> None:
    """Make the agents' role, its policy and *queues*; what is there already stays."""
    iam, sqs = found.client("iam"), found.client("sqs")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=AGENT_ROLE, AssumeRolePolicyDocument=json.dumps(_trust()))
    iam.put_role_policy(
        RoleName=AGENT_ROLE,
        PolicyName="queues",
        PolicyDocument=json.dumps(queue_policy(f"{STAGE_PREFIX}*")),
    )
    for queue in queues:
        sqs.create_queue(QueueName=queue, Attributes=_QUEUE_ATTRIBUTES)


def queue_policy(*names: str) -> dict[str, Any]:
    """Write the policy that lets an agent take from the queues of these *names*, no more."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": list(AGENT_ACTIONS),
                "Resource": [f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}" for name in names],
            }
        ],
    }


def _trust() -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }


def _python() -> Path:
    if not environments.EMULATORS.ready():
        environments.make(environments.EMULATORS)
    return environments.EMULATORS.python


def _forget(scratch: Path) -> None:
    """Remove the pid file ministack leaves when it is killed, which would name a stranger."""
    for left in scratch.glob("ministack-*.pid"):
        left.unlink()
