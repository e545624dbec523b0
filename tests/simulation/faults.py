"""What goes wrong in a world, and when; and the end of it."""

from collections.abc import Callable
from random import Random

from tests.simulation.bells import SimSqs
from tests.simulation.machine import Machine
from tests.simulation.network import Control
from tests.simulation.schedule import Scheduler
from tests.simulation.settings import Settings
from tests.simulation.store import SimStore
from tests.simulation.trace import Trace


class Faults:
    """Has each class of faults happen at its rate, until the world heals."""

    def __init__(
        self,
        settings: Settings,
        scheduler: Scheduler,
        trace: Trace,
        *,
        machines: list[Machine],
        control: Control,
        store: SimStore,
        sqs: SimSqs,
    ) -> None:
        self._rates = settings.rates
        self._restart_seconds = settings.restart_seconds
        self._scheduler = scheduler
        self._trace = trace
        self._machines = machines
        self._control = control
        self._store = store
        self._sqs = sqs
        self._chance = Random(f"faults {settings.seed}")
        self._over = False
        self.sweeper_paused_until = 0.0

    def begin(self) -> None:
        """Draw when each class happens for the first time."""
        happen: dict[str, Callable[[], None]] = {
            "agent_killed": self._kill,
            "agent_frozen": self._freeze,
            "machine_rebooted": self._reboot,
            "link_cut": self._cut,
            "engine_restarted": self._restart_engine,
            "disk_full": self._fill_disk,
            "store_away": self._store_away,
            "control_away": self._control_away,
            "sweeper_paused": self._pause_sweeper,
            "queue_purged": self._sqs.purge,
            "services_killed": self._kill_services,
        }
        for name, work in happen.items():
            if self._rates[name]:
                self._next(name, work)

    def heal(self) -> None:
        """Let nothing go wrong from now on, and mend what is broken."""
        self._over = True
        for name in self._rates:
            self._rates[name] = 0.0
        self._store.heal()
        self._control.go_on()
        self.sweeper_paused_until = 0.0
        for machine in self._machines:
            machine.cut_until = 0.0
            machine.engine.event_missed = 0.0
            machine.engine.disk_free = 50_000
            machine.disk.full = False
            if machine.engine.down:
                machine.engine.go_on()
            machine.note_impaired()
            machine.begin()

    def _next(self, name: str, work: Callable[[], None]) -> None:
        moment = self._scheduler.now + self._chance.expovariate(self._rates[name])
        self._scheduler.at(moment, self._happen, name, work)

    def _happen(self, name: str, work: Callable[[], None]) -> None:
        if self._over:
            return
        self._trace.note(self._scheduler.now, "fault", name)
        work()
        self._next(name, work)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        def unless_healed() -> None:
            if not self._over:
                work()

        self._scheduler.at(self._scheduler.now + seconds, unless_healed)

    def _long(self, least: float, most: float) -> float:
        """Draw how long: often short, sometimes very long."""
        return least + (most - least) * self._chance.random() ** 2

    def _machine(self) -> Machine:
        machine = self._chance.choice(self._machines)
        self._trace.note(self._scheduler.now, "  to", machine.name)
        return machine

    def _kill(self) -> None:
        machine = self._machine()
        machine.kill()
        self._later(self._long(0.2, self._restart_seconds), machine.begin)

    def _freeze(self) -> None:
        self._machine().freeze(self._long(3, 120))

    def _reboot(self) -> None:
        machine = self._machine()
        machine.kill()
        machine.disk.lose_power(self._chance)
        machine.engine.stop(live_restore=False)
        back = self._long(2, 60)
        machine.note_impaired(back)
        self._later(back, machine.engine.go_on)
        self._later(back, machine.begin)

    def _cut(self) -> None:
        self._machine().cut_off(self._long(5, 120))

    def _restart_engine(self) -> None:
        machine = self._machine()
        machine.engine.stop(live_restore=self._chance.random() < 0.5)
        back = self._long(0.5, 40)
        machine.note_impaired(back)
        self._later(back, machine.engine.go_on)

    def _kill_services(self) -> None:
        """Kill the agent and its engine together; only containers live on."""
        machine = self._machine()
        machine.kill()
        machine.engine.stop(live_restore=True)
        back = self._long(0.5, 40)
        machine.note_impaired(back)
        self._later(back, machine.engine.go_on)
        self._later(2 * back * self._chance.random(), machine.begin)

    def _fill_disk(self) -> None:
        machine = self._machine()
        seconds = self._long(3, 60)
        machine.disk.full = True
        machine.engine.disk_free = 0
        machine.note_impaired(seconds)

        def freed() -> None:
            machine.disk.full = False
            machine.engine.disk_free = 50_000

        self._later(seconds, freed)

    def _store_away(self) -> None:
        self._store.away = True
        seconds = self._long(1, 60)
        self._impair_all(seconds)

        def back() -> None:
            self._store.away = False

        self._later(seconds, back)

    def _control_away(self) -> None:
        self._control.fail()
        seconds = self._long(1, 120)
        self._impair_all(seconds)
        self._later(seconds, self._control.go_on)

    def _pause_sweeper(self) -> None:
        self.sweeper_paused_until = self._scheduler.now + self._long(10, 180)

    def _impair_all(self, seconds: float) -> None:
        for machine in self._machines:
            machine.note_impaired(seconds)
