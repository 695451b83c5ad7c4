"""A running supervisor → what may be asked of it, by an operator or by a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from luggage.run.states import State


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
