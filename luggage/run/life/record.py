"""What happens to one process, life after life → its `State`."""

from __future__ import annotations

from collections.abc import Callable

from luggage.run.life.child import Child
from luggage.run.life.policy import History
from luggage.run.life.states import State
from luggage.run.table.processes import Process


class Record:
    """What is known of the process `name`; `wall` gives unix seconds.

    `process` is its entry of the table; one that somebody added by hand has none, and is a loop.
    """

    def __init__(self, name: str, process: Process | None, wall: Callable[[], float]) -> None:
        self.name = name
        self.process = process or Process(name, name)
        self.history = History()
        self.halted = False
        self.rests = False  # its run was stopped, and the next one is that which is due
        self.last_beat: float | None = None
        self._wall = wall
        self.state = "stopped"
        self._since = wall()
        self._starts = 0
        self._last_exit: str | None = None
        self._last_exit_at: float | None = None

    @property
    def kind(self) -> str:
        """As in `State`."""
        return self.process.kind

    def enter(self, state: str) -> None:
        """Its state is another from now on; one of `states.STATES`."""
        self.state = state
        self._since = self._wall()

    def begins(self, state: str) -> None:
        """Another life."""
        self._starts += 1
        self.rests = False
        self.last_beat = None
        self.enter(state)

    def dies(self, at: float, life: Child) -> str:
        """A life has ended that nobody asked to; where that makes a crash loop, how often now."""
        before = self.history.crash_loop
        self.history = self.history.died(at, life.lived, ready=life.ready)
        return "" if before else self.history.crash_loop

    def ends(self, words: str) -> None:
        """A life has ended so; what comes now is entered by the caller."""
        self._last_exit = words
        self._last_exit_at = self._wall()

    def seen(self, life: Child | None) -> State:
        """How it stands, with `life` as the current one."""
        return State(
            name=self.name,
            kind=self.kind,
            state=self.state,
            pid=life.pid if life is not None else None,
            since=self._since,
            starts=self._starts,
            crash_loop=bool(self.history.crash_loop),
            last_exit=self._last_exit,
            last_exit_at=self._last_exit_at,
            last_beat=self.last_beat,
            needed=self.process.needed,
        )
