"""A process that serves → its next life, started beside this one, which goes when that is ready.

Both have the supervisor's listening socket. So at every moment one of them takes whoever comes, and
the old one ends as it always does: what it has accepted, it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luggage.errors import LuggageError
from luggage.run.life.child import Child

PATIENCE = 120.0  # seconds that the new life has to become ready

Done = Callable[[bool, str], None]


class Reload:
    """Reloads the processes of `monitor`, one at a time.

    `begun` and `over` are called around each, however it ends.
    """

    def __init__(
        self,
        monitor: Any,
        *,
        begun: Callable[[], None] = lambda: None,
        over: Callable[[], None] = lambda: None,
    ) -> None:
        self._monitor = monitor
        self._begun = begun
        self._over = over
        self._busy = False

    def __call__(self, name: str, done: Done) -> None:
        """Reload `name`; `done` is told whether that went well, and in words how.

        Raises LuggageError where it cannot begin.
        """
        record = self._monitor.records.get(name)
        if record is None:
            raise LuggageError(f"reload: process '{name}': there is none")
        if self._busy:
            raise LuggageError("reload: another is under way", "wait until that is over")
        if record.halted:
            raise LuggageError(f"reload: {name} was stopped", f"ctl start {name}")
        try:
            child = self._monitor.births.life(name, self._monitor._processes[name])
        except OSError as error:
            raise LuggageError(f"reload: {name}: no place for another: {error}") from error
        self._busy = True
        self._begun()

        def end(well: bool, told: str) -> None:
            child.on_ready = child.on_ask = child.on_exit = None
            self._busy = False
            self._over()
            done(well, told)

        def asked() -> None:
            end(False, f"reload: {name}: stopped meanwhile")

        def ready() -> None:
            took = f"{name}: pid {child.pid} serves"
            old = self._current(name)
            self._monitor.say(f"{took} in the place of {_pid(old)}")
            self._take(child, old)
            end(True, took)

        def exited(words: str) -> None:
            self._failed(name, f"the new one {words} before it was ready", end)

        def too_long() -> None:
            if child.on_exit is exited:
                child.on_exit = None
                child.kill()
                self._failed(name, f"the new one was not ready after {PATIENCE:.0f} s: killed", end)

        child.on_ready, child.on_ask, child.on_exit = ready, asked, exited
        child.later(PATIENCE, too_long)
        self._monitor.say(f"{name}: reload: starting another beside {_pid(self._current(name))}")
        self._monitor.live(child)

    def _current(self, name: str) -> Child | None:
        current: Child | None = self._monitor.protocols.get(name)
        return current

    def _take(self, child: Child, old: Child | None) -> None:
        """Make `child` the current life of its process, and ask the one before to stop."""
        self._monitor.wait_no_more(child.name)
        self._monitor.protocols[child.name] = child
        self._monitor.records[child.name].begins("running")
        self._monitor.changed()
        if old is not None:
            old.why = f"{_pid(old)}, replaced: "
            self._monitor.ask(old)

    def _failed(self, name: str, why: str, end: Done) -> None:
        current = self._current(name)
        stays = f"; {_pid(current)} serves on" if current is not None and current.ready else ""
        self._monitor.say(f"error: {name}: reload: {why}{stays}")
        end(False, f"reload: {name}: {why}{stays}")


def _pid(child: Child | None) -> str:
    return f"pid {child.pid}" if child is not None and child.pid is not None else "none"
