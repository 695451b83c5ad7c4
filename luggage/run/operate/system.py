"""Monitor, board and log → the one `System` that operators and pages ask."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from luggage.board import LEVELS, Board
from luggage.errors import LuggageError
from luggage.run.life.states import State


class System(Protocol):
    """All that runs under one supervisor. To ask never blocks, and is for the reactor's thread."""

    @property
    def folder(self) -> Path:
        """The state folder."""

    @property
    def version(self) -> Mapping[str, object]:
        """What `/-/version` tells."""

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop, even if it serves on for a while."""

    @property
    def level(self) -> str:
        """How much is logged now: one of `luggage.board.LEVELS`."""

    def set_level(self, level: str) -> None:
        """Log as much as `level` says, in every process; raises LuggageError where it is none."""

    def states(self) -> list[State]:
        """What every process of the table does, in the table's order."""

    def lines(self, name: str) -> list[str]:
        """The last lines of the process `name`, as the log has them; none where there are none."""

    def ready(self) -> tuple[bool, str]:
        """Whether requests should come here, and why not; or what is wrong all the same."""

    def healthy(self) -> tuple[bool, str]:
        """Whether all of this should be let live, and why not."""


class Overall:
    """A `System`. What it finds is put on the board by `publish`.

    `web` are the processes that serve, whether or not the monitor has heard of them yet.
    """

    def __init__(
        self,
        *,
        monitor: Any,
        board: Board,
        folder: Path,
        version: Mapping[str, object],
        lines: Callable[[str], list[bytes]],
        web: Collection[str],
    ) -> None:
        self.folder = folder
        self.version = version
        self._monitor = monitor
        self._board = board
        self._lines = lines
        self._web = frozenset(web)

    @property
    def stopping(self) -> bool:
        return self._board.stopping

    @property
    def level(self) -> str:
        return self._board.level

    def set_level(self, level: str) -> None:
        if level not in LEVELS:
            raise LuggageError("log level: there is no such level", f"one of {', '.join(LEVELS)}")
        self._board.level = level

    def states(self) -> list[State]:
        found: list[State] = self._monitor.states()
        return found

    def lines(self, name: str) -> list[str]:
        return [line.decode("utf-8", "replace") for line in self._lines(name)]

    def ready(self) -> tuple[bool, str]:
        if self.stopping:
            return False, "stopping"
        states = self.states()
        fit, trouble = self._trouble(states)
        if not fit:
            return False, f"not ready; {trouble}"
        web = [it for it in states if it.name in self._web]
        if missing := self._web - {it.name for it in web}:
            return False, f"not ready; {min(missing)} is not there"
        if web and not any(it.state == "running" for it in web):
            return False, f"not ready; {web[0].name} is {web[0].state}"
        return True, f"ready; {trouble}" if trouble else "ready"

    def healthy(self) -> tuple[bool, str]:
        # A web server that cannot run ends the container; one that an operator stopped is meant so.
        return True, "healthy"

    def publish(self) -> None:
        """Put on the board what the web server's own pages tell."""
        fit, trouble = self._trouble(self.states())
        if self._board.trouble != trouble:
            self._board.trouble = trouble
        if self._board.fit != fit:
            self._board.fit = fit

    def _trouble(self, states: list[State]) -> tuple[bool, str]:
        """Whether all runs that is needed besides the web server, and what is wrong, in words."""
        down = [it for it in states if it.needed and it.crash_loop]
        told = [
            f"{it.kind} '{it.name}' {'crash-loops' if it.crash_loop else 'is stopped'}"
            for it in down or states
            if it.crash_loop or (it.state == "stopped" and it.name not in self._web)
        ]
        return not down, ", ".join(told)
