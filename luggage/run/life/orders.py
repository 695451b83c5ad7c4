"""What an operator orders → what the monitor does with a process; how every process stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luggage.errors import LuggageError
from luggage.run.life.child import Child
from luggage.run.life.policy import History
from luggage.run.life.record import Record
from luggage.run.life.states import State
from luggage.run.table.processes import Process


class Orders:
    """The part of the monitor that others ask. Each order raises LuggageError where the process is
    none of the monitor's, or everything is being stopped."""

    running: int
    protocols: dict[str, Child]
    records: dict[str, Record]
    table: dict[str, Process]
    waits: dict[str, Any]
    changed: Callable[[], None]
    first: frozenset[str]
    lives: set[Child]

    def states(self) -> list[State]:
        """How every process stands, in the order of the table; what was added later comes last."""
        known = [*(name for name in self.table if name in self.records)]
        added = [name for name in self.records if name not in self.table]
        return [self.records[name].seen(self.protocols.get(name)) for name in [*known, *added]]

    def will_serve(self) -> bool:
        """Whether one serves, or will: none does where an operator has stopped it."""
        return any(not self.records[name].halted for name in self.first & self.records.keys())

    def serves(self) -> bool:
        """Whether one is ready for whoever comes: one that was asked to stop takes nobody more."""
        return any(it.name in self.first and it.ready and not it.asked for it in self.lives)

    def goes_on(self) -> bool:
        """Whether one serves, or does as soon as the life before has ended."""
        return self.serves() or any(self.is_restarted(name) for name in self.first)

    def is_restarted(self, name: str) -> bool:
        """Whether its current life was asked to stop, and another comes then."""
        life, record = self.protocols.get(name), self.records.get(name)
        return life is not None and life.asked and record is not None and not record.halted

    def is_shut(self) -> bool:
        """Whether none serves, nor will, because an operator has stopped it."""
        return bool(self.first & self.records.keys()) and not self.will_serve()

    def restart(self, name: str) -> None:
        """End the current life of a process, if it has one, and begin another at once.

        For a cron that is a run of its own, whenever the next one is due.
        """
        record = self._named(name)
        record.rests = False
        self._hold(record, False)
        if name in self.protocols:
            self._end(name)
        else:
            self.start_now(name)

    def halt(self, name: str) -> None:
        """Stop a process, which then stays stopped until `begin` or `restart`.

        Whether it crash-loops is to be seen anew then. A life that a reload has begun beside the
        current one is stopped as well.
        """
        record = self._named(name)
        record.history = History()
        self._hold(record, True)
        self.wait_no_more(name)
        for life in [it for it in self.lives if it.name == name]:
            self.ask(life)
        if name in self.protocols:
            self._end(name)
        else:
            self.enter(record, "stopped")

    def begin(self, name: str) -> None:
        """Start a process that an operator has stopped, or that waits; one that runs goes on.

        A cron is due again from now on.
        """
        record = self._named(name)
        record.rests = record.rests or record.halted
        self._hold(record, False)
        if name not in self.protocols:
            self.wait_no_more(name)
            self.startProcess(name)

    def wait_no_more(self, name: str) -> None:
        """Forget that a process waits to be started."""
        call = self.waits.pop(name, None)
        if call is not None and call.active():
            call.cancel()

    def _hold(self, record: Record, halted: bool) -> None:
        record.halted = halted
        self.changed()

    def _end(self, name: str) -> None:
        life = self.protocols[name]
        self.stopProcess(name)
        if life.refused:
            raise LuggageError(f"process '{name}': cannot be signalled", "see the log")

    def _named(self, name: str) -> Record:
        record = self.records.get(name)
        if record is None:
            raise LuggageError(f"process '{name}': there is none", f"one of: {self._all()}")
        if not self.running:
            raise LuggageError(f"process '{name}': everything is being stopped")
        return record

    def _all(self) -> str:
        return ", ".join(self.records)

    # The monitor's own.

    def startProcess(self, name: str) -> None:  # noqa: N802 - Twisted's name
        raise NotImplementedError

    def start_now(self, name: str) -> None:
        raise NotImplementedError

    def stopProcess(self, name: str) -> None:  # noqa: N802 - Twisted's name
        raise NotImplementedError

    def ask(self, child: Child) -> None:
        raise NotImplementedError

    def enter(self, record: Record, state: str) -> None:
        raise NotImplementedError
