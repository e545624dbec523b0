"""What the operator has decided for this installation, as plain values."""

from dataclasses import dataclass

from wharfage.domain.account import Principal
from wharfage.domain.errors import PoolUnknown
from wharfage.domain.risk import OrderRules
from wharfage.domain.spec import JobSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Settings that rules depend on."""

    registries: frozenset[str]  #: Registries images may come from, by exact name.
    pools: frozenset[str]  #: Pools that have a queue.
    agent_version_min: str
    order_rules: OrderRules
    refund_late: bool = False  #: A payment for a closed order goes back instead of being credited.
    refund_into_debt: bool = False  #: A refund of money that was spent is owed, not refused.
    remote_hosts: bool  #: False on the local stack: it serves agents of this machine only.

    def check(self, spec: JobSpec, who: Principal) -> None:
        """Refuse a job that this installation, or this account, may not ask for.

        Raises: Invalid, PoolUnknown.
        """
        spec.check(self.registries)
        if spec.pool not in self.pools or not who.may_use(spec.pool):
            raise PoolUnknown(pool=spec.pool)
