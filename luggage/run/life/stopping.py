"""A monitor's running processes → none: what serves first, then all else, then a call."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

LAST_WORDS = 1.0  # seconds for output that comes after a process's end


class Stopping:
    """Asks what serves (`first`) to stop, then everything else; then calls `stopped`.

    The monitor calls `advance` when a life, or what lingers of one, is gone. A life has the
    monitor's `killTime`; what lingers, a second more: a gunicorn worker outlives its master to
    finish its requests.
    """

    def __init__(self, monitor: Any, first: Collection[str], stopped: Callable[[], None]) -> None:
        self._monitor = monitor
        self._stopped = stopped
        self._stages: list[Callable[[str], bool]] = [lambda name: name in first, lambda _: True]
        self._deadline: Any = None

    def enter(self) -> None:
        """Ask all of this stage."""
        for life in [life for life in self._monitor.lives if self._stages[0](life.name)]:
            self._monitor.ask(life)
        # The last stage only waits for a few more lines: what lingers there answers no request.
        patience = self._monitor.killTime + 1 if len(self._stages) > 1 else LAST_WORDS
        self._deadline = self._monitor.clock.callLater(patience, self._forget)
        self.advance()

    def _forget(self) -> None:
        self._monitor.lingering.clear()
        self.advance()

    def advance(self) -> None:
        """Go on to the next stage when nothing of this one is left."""
        if not self._stages:
            return
        stage, lingering = self._stages[0], self._monitor.lingering
        if any(stage(life.name) for life in self._monitor.lives):
            return
        if any(stage(life.name) for life in lingering):
            if self._deadline.active():
                return
            lingering.clear()
        if self._deadline.active():
            self._deadline.cancel()
        self._stages.pop(0)
        if self._stages:
            self.enter()
        else:
            self._stopped()
