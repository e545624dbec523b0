"""The scene of both models: real operations over dictionaries in weather, and their far sides."""

from collections.abc import Iterable
from datetime import datetime

from tests.fixtures import ledger, work
from tests.fixtures.money import OPERATOR, HandClock, ScriptedChannel
from tests.fixtures.objects import MemoryObjects
from tests.properties.weather import Weather
from wharfage import wiring
from wharfage.adapters.breakers import Breakers
from wharfage.adapters.embedded import DictRows
from wharfage.adapters.faults import FaultyRows
from wharfage.adapters.store import RecordStore
from wharfage.domain.account import Account, DirectoryEntry, Principal, Role
from wharfage.domain.balance import Balance
from wharfage.domain.terms import Terms
from wharfage.operations import ledger as moves
from wharfage.operations.ledger import Adjustment
from wharfage.ports import Ports
from wharfage.transaction import Put

TERMS = Terms(
    registries=frozenset({"docker.io"}),
    pools=frozenset({"default"}),
    agent_version_min="1.0",
    order_rules=wiring.order_rules(),
    remote_hosts=False,
)


class Scene:
    """People with accounts, a store in weather, a clock, a channel; hosts are enrolled later."""

    def __init__(self, people: Iterable[Principal]) -> None:
        self.weather = Weather()
        self.clock = HandClock()
        self.channel = ScriptedChannel()
        self.store = RecordStore(
            FaultyRows(DictRows(), self.weather), pause=lambda _: None, chance=lambda: 0.0
        )
        queue = work.KeptQueue()
        self.ports = Ports(
            store=self.store,
            queue=queue,
            channels={self.channel.name: self.channel},
            breakers=Breakers(self.clock),
            clock=self.clock,
            ids=work.NamingIds(),
            passwords=None,  # type: ignore[arg-type]
            access_tokens=None,  # type: ignore[arg-type]
            credentials=work.PlainCredentials(self.clock),
            objects=MemoryObjects(self.clock),
            prices=work.PRICES,
            plans=wiring.plans(),
            terms=TERMS,
        )
        self.world = work.World(ports=self.ports, clock=self.clock, queue=queue)
        for who in people:
            self._open(who)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def give(self, who: Principal, fen: int) -> None:
        """Book money that was there before the story begins."""
        body = Adjustment(account=who.account, amount_fen=fen, reason="start", reference="start")
        moves.adjust(self.ports, OPERATOR, body)

    def check(self) -> None:
        """Check all the money there is, from the rows alone."""
        ledger.check(self.store)

    def _open(self, who: Principal) -> None:
        email = f"{who.account}@example.com"
        account = Account(
            id=who.account,
            email=email,
            password_hash="-",
            role=Role.USER,
            epoch=1,
            created_at=self.now,
        )
        listed = DirectoryEntry(account=who.account, email=email, created_at=self.now)
        self.store.commit(Put(account), Put(listed), Put(Balance(account=who.account)))
