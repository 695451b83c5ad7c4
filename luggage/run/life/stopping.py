"""A monitor's running processes → none: what serves first, then all else, then a call."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from luggage.run.life.child import Child

LAST_WORDS = 1.0  # seconds for output that comes after a process's end
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
        # The last stage only waits for a few more lines: what lingers there answers no request.
        patience = self._monitor.killTime + 1 if len(self._stages) > 1 else LAST_WORDS
        self._deadline = self._monitor.clock.callLater(patience, self._forget)
        self._limit = self._monitor.clock.callLater(self._monitor.killTime, self._killed)
        for life in self._lives():
            self._monitor.ask(life)
        self.advance()

    def _lives(self) -> list[Child]:
        """Those of this stage that are still to be waited for."""
        lives = self._monitor.lives - self._left
        return sorted((it for it in lives if self._stages[0](it.name)), key=lambda it: it.name)

    def _forget(self) -> None:
        self._monitor.lingering.clear()
        self.advance()

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
        stage, lingering = self._stages[0], self._monitor.lingering
        if any(stage(life.name) for life in lingering):
            if self._deadline.active():
                return
            lingering.clear()
        for call in (self._deadline, self._limit):
            if call.active():
                call.cancel()
        self._stages.pop(0)
        if self._stages:
            self.enter()
        else:
            self._stopped()
