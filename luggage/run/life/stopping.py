"""A monitor's running processes → none: what serves first, then all else, then a call."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from luggage.run.life.child import Child

LAST_WORDS = 1.0  # seconds for what is left of the last process: its output, and its own children
DEATH = 3.0  # seconds that a killed process has to be gone; one in the kernel's hands may stay


class Stopping:
    """Asks what serves (`first`) to stop, then everything else; then calls `stopped`.

    The monitor calls `advance` when a life, or what lingers of one, is gone. A life has the
    monitor's `killTime`; what lingers, a second more: a gunicorn worker outlives its master to
    finish its requests. What is still there after it was killed, or cannot be, is left behind.
    """

    def __init__(self, monitor: Any, first: Collection[str], stopped: Callable[[], None]) -> None:
        self._monitor = monitor
        self._stopped = stopped
        self._stages: list[Callable[[str], bool]] = [lambda name: name in first, lambda _: True]
        self._deadline: Any = None
        self._limit: Any = None
        self._left: set[Child] = set()

    def enter(self) -> None:
        """Ask all of this stage."""
        if len(self._stages) > 1:
            self._wait(self._monitor.killTime + 1)
        else:
            self._deadline = None  # what lingers there answers no request
        self._limit = self._monitor.clock.callLater(self._monitor.killTime, self._killed)
        for life in self._lives():
            self._monitor.ask(life)
        self.advance()

    def _lives(self) -> list[Child]:
        """Those of this stage that are still to be waited for."""
        lives = self._monitor.lives - self._left
        return sorted((it for it in lives if self._stages[0](it.name)), key=lambda it: it.name)

    def _wait(self, seconds: float) -> None:
        self._deadline = self._monitor.clock.callLater(seconds, self._forget)

    def _forget(self) -> None:
        lingering = self._linger()
        self._monitor.lingering.difference_update(lingering)
        for life in lingering:
            life.forget()
        self.advance()

    def _linger(self) -> list[Child]:
        return [it for it in self._monitor.lingering if self._stages and self._stages[0](it.name)]

    def _killed(self) -> None:
        # Counted from here: after a pause of everything, both would be due at once.
        self._limit = self._monitor.clock.callLater(DEATH, self._leave)

    def _leave(self) -> None:
        left = self._lives()
        if left:
            told = ", ".join(f"{life.name} (pid {life.pid})" for life in left)
            self._monitor.say(f"error: left behind, as it does not end, even when killed: {told}")
        self._left.update(left)
        self.advance()

    def advance(self) -> None:
        """Go on to the next stage when nothing of this one is left."""
        if not self._stages or self._lives():
            return
        if self._linger():
            if self._deadline is None:
                self._wait(LAST_WORDS)
            elif not self._deadline.active():
                self._forget()
            return
        for call in (self._deadline, self._limit):
            if call is not None and call.active():
                call.cancel()
        self._stages.pop(0)
        if self._stages:
            self.enter()
        else:
            self._stopped()
