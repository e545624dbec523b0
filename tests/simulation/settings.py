"""What kind of world a seed makes: who is in it, and which faults happen how often."""

from dataclasses import dataclass, fields
from random import Random

OFF = 0.4  #: How likely it is that a class of faults is off.

#: Each class of faults and its highest rate: of calls, or of events in a second of a world.
RATES: dict[str, float] = {
    # Of each call of the store.
    "store_conflict": 0.10,
    "store_throttle": 0.10,
    "store_lost_before": 0.05,
    "store_lost_after": 0.08,
    "store_slow": 0.05,
    "index_stale": 0.20,
    # Of each request.
    "request_dies": 0.06,
    "request_lost": 0.10,
    "answer_lost": 0.10,
    "request_twice": 0.10,
    "network_slow": 0.10,
    # Of each message of the queue.
    "message_lost": 0.50,
    "message_twice": 0.30,
    "message_late": 0.30,
    # Of each call of an engine.
    "engine_silent": 0.04,
    "engine_late": 0.04,
    "engine_refuses": 0.02,
    "engine_event_missed": 0.30,
    "pull_fails": 0.20,
    # Of each answer of the payment channel, and of each notify.
    "channel_unknown": 0.30,
    "notify_lost": 0.60,
    "notify_late": 0.40,
    "notify_tampered": 0.40,
    # In each second of the world.
    "agent_killed": 0.05,
    "agent_frozen": 0.03,
    "machine_rebooted": 0.01,
    "link_cut": 0.04,
    "engine_restarted": 0.02,
    "disk_full": 0.02,
    "store_away": 0.01,
    "control_away": 0.01,
    "sweeper_paused": 0.02,
    "queue_purged": 0.02,
}


#: The same; each is drawn by itself, so that older worlds stay as they were.
LATER_RATES: dict[str, float] = {"channel_away": 0.03, "services_killed": 0.04}

MOST = RATES | LATER_RATES


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One world."""

    seed: int
    seconds: float  #: How long faults and customers go on.
    customers: int
    hosts: int
    jobs: int
    sweepers: int
    twin: bool  #: One host's token is used by a second machine.
    skew_seconds: float  #: The hosts' clocks are off by up to this.
    wire: bool  #: Messages are written as JSON and read again.
    operator: bool  #: Somebody drains, revokes and bans.
    others: bool  #: Orders can be paid by other channels than Alipay.
    restart_seconds: float  #: How long an agent that has ended stays away, at most.
    rates: dict[str, float]

    @classmethod
    def draw(cls, seed: int) -> "Settings":
        """Draw the world of a seed."""
        chance = Random(f"settings {seed}")
        calm = chance.random() < 0.05
        rates = {
            name: 0.0 if calm or chance.random() < OFF else most * chance.random() ** 2
            for name, most in RATES.items()
        }
        for name, most in LATER_RATES.items():
            alone = Random(f"{name} {seed}")
            rates[name] = 0.0 if calm or alone.random() < OFF else most * alone.random() ** 2
        return cls(
            seed=seed,
            seconds=chance.choice((30.0, 60.0, 60.0, 120.0, 240.0)),
            customers=chance.choice((1, 1, 2, 3)),
            hosts=chance.choice((1, 1, 2, 2, 3, 4)),
            jobs=chance.choice((1, 2, 3, 4, 6, 8, 12)),
            sweepers=chance.choice((1, 1, 2)),
            twin=not calm and chance.random() < 0.1,
            skew_seconds=0.0 if chance.random() < OFF else chance.choice((1.0, 30.0, 600.0)),
            wire=chance.random() < 0.05,
            operator=chance.random() < 0.4,
            others=Random(f"channels {seed}").random() < 0.6,
            restart_seconds=chance.choice((1.0, 5.0, 5.0, 30.0, 120.0)),
            rates=rates,
        )

    @property
    def faulty(self) -> bool:
        """Tell whether anything can go wrong at all."""
        return self.twin or any(self.rates.values())

    def __str__(self) -> str:
        world = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "rates"}
        on = {name: round(rate, 4) for name, rate in self.rates.items() if rate}
        return "\n".join(
            [
                " ".join(f"{name}={value}" for name, value in world.items()),
                "faults: " + (" ".join(f"{name}={rate}" for name, rate in on.items()) or "none"),
            ]
        )
