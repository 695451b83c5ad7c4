"""A `System` by hand, for tests of what asks one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from luggage.board import LEVELS
from luggage.errors import LuggageError
from luggage.run.life.states import State

NOW = 1_790_000_000.0
EVIL = '<script>document.title = "taken"</script>'
WEB = State("gunicorn", "web", "running", 7, NOW - 4000, 3, False, None, None, None, True)
LOOP = State(
    name="robot.1",
    kind="loop",
    state="waiting",
    pid=None,
    since=NOW - 20,
    starts=9,
    crash_loop=True,
    last_exit="killed by signal 9 (SIGKILL)",
    last_exit_at=NOW - 20,
    last_beat=NOW - 75,
    needed=False,
)
CRON = State("tidy", "cron", "scheduled", None, NOW - 90_000, 4, False, None, None, None, False)
LINES = {
    "gunicorn": ['127.0.0.1 "GET / HTTP/1.1" 200'],
    "robot.1": ["Traceback (most recent call last):", f"ValueError: {EVIL}", "\x1b[31mred\u202e"],
}
VERSION = {"version": "1a2b3c", "commit": None, "project": "shop", "luggage": "1"}


@dataclass
class Standing:
    """It is as it is told to be."""

    folder: Path = Path("/nowhere")
    version: Mapping[str, object] = field(default_factory=lambda: dict(VERSION))
    stopping: bool = False
    level: str = "info"
    processes: list[State] = field(default_factory=lambda: [WEB, LOOP, CRON])
    last: Mapping[str, list[str]] = field(default_factory=lambda: dict(LINES))
    fit: tuple[bool, str] = (True, "ready; loop 'robot.1' crash-loops")
    well: tuple[bool, str] = (True, "healthy")

    def set_level(self, level: str) -> None:
        if level not in LEVELS:
            raise LuggageError("log level: there is no such level", f"one of {', '.join(LEVELS)}")
        self.level = level

    def states(self) -> list[State]:
        return self.processes

    def lines(self, name: str) -> list[str]:
        return self.last.get(name, [])

    def ready(self) -> tuple[bool, str]:
        return self.fit

    def healthy(self) -> tuple[bool, str]:
        return self.well
