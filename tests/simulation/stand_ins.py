"""What operations need and worlds do not look at: ids, credentials, passwords."""

import itertools

from tests.simulation.carrier import ControlClock
from wharfage import wiring
from wharfage.domain.terms import Terms
from wharfage.ports import QueueCredentials

#: An installation with one pool and hosts from anywhere.
TERMS = Terms(
    registries=frozenset({"docker.io"}),
    pools=frozenset({"default"}),
    agent_version_min="0",
    order_rules=wiring.order_rules(),
    remote_hosts=True,
)


class SimIds:
    """Ids in order, and secrets that anybody can guess."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):026d}"

    def secret(self) -> str:
        return self.new("secret")


class SimCredentials:
    """Credentials that open nothing: nobody looks at them here."""

    def __init__(self, clock: ControlClock) -> None:
        self._clock = clock

    def issue(self, *, host: str, pool: str, mailbox: str) -> QueueCredentials:
        return QueueCredentials(
            access_key_id="id",
            secret_access_key="secret",
            session_token="token",
            expires_at=self._clock.now(),
            region="local",
            sqs_endpoint=None,
            pool_queue_url=pool,
            mailbox_queue_url=mailbox,
        )


class PlainPasswords:
    """Passwords that cost nothing."""

    def hash(self, password: str) -> str:
        return password

    def verify(self, password_hash: str | None, password: str) -> bool:
        return password_hash == password


def never(seconds: float) -> None:
    """Refuse to wait: calm rows make nobody."""
    raise AssertionError(f"calm rows make somebody wait for {seconds} s")
