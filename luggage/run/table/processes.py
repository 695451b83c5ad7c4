"""A deployment's process table → the processes to run, by name."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luggage.errors import LuggageError, all_wrong
from luggage.run.table.entries import GRACE, Cron, Entry, Loop, Web
from luggage.run.table.mistakes import problems

if TYPE_CHECKING:
    from luggage.run.table.cron import Rhythm

MASTER = 10.0  # seconds: many of its looks, as its death costs the web server all watching


@dataclass(frozen=True)
class Process:
    """One process of a table: its `name` in the log, and the command with its arguments.

    `kind` is that of `states.State`, or "check" or "release". What is "web" serves the port, and is
    stopped before the others. `key`, `port`, `needed` and `beat` are as in `Loop`; `grace` is for
    one that beats, and `rhythm` for a cron. The web server's master beats by itself, from when it
    looks after its workers.
    """

    name: str
    command: str
    arguments: tuple[str, ...] = ()
    kind: str = "loop"
    key: bool = True
    port: str | None = None
    needed: bool = False
    beat: float | None = None
    grace: float = GRACE
    rhythm: Rhythm | None = None

    @property
    def web(self) -> bool:
        """Whether it serves the port."""
        return self.kind == "web"

    @property
    def stays(self) -> bool:
        """Whether a supervisor looks after it, instead of waiting for its end."""
        return self.kind not in ("check", "release")


def expand(
    table: Sequence[Entry], environ: Mapping[str, str], commands: Collection[str]
) -> list[Process]:
    """The processes that `table` asks for under `environ`, in its order.

    `commands` are the names of the deployment's commands. Raises LuggageError with everything that
    is wrong in the table, whatever `environ` leaves out.
    """
    wrong = problems(table, commands)
    if wrong:
        raise LuggageError(all_wrong(wrong), "mend PROCESSES in the deployment's start.py")
    processes = [
        process
        for entry in table
        if isinstance(entry, Web) or not (entry.unless and environ.get(entry.unless))
        for process in _processes(entry)
    ]
    if not any(process.stays for process in processes):
        raise LuggageError(
            "process table: nothing to start", "mend PROCESSES in the deployment's start.py"
        )
    return processes


def _processes(entry: Entry) -> list[Process]:
    if isinstance(entry, Web):
        words = (entry.command, entry.command, entry.arguments)
        return [Process(*words, "web", beat=MASTER, grace=math.inf)]
    if isinstance(entry, Loop):
        return [_loop(name, entry) for name in _names(entry)]
    kind = type(entry).__name__.lower()
    rhythm = entry.rhythm() if isinstance(entry, Cron) else None
    return [Process(entry.command, entry.command, kind=kind, key=entry.key, rhythm=rhythm)]


def _loop(name: str, loop: Loop) -> Process:
    return Process(
        name,
        loop.command,
        key=loop.key,
        port=loop.port,
        needed=loop.needed,
        beat=loop.beat,
        grace=max(GRACE, loop.beat or 0) if loop.grace is None else loop.grace,
    )


def _names(loop: Loop) -> list[str]:
    if loop.copies == 1:
        return [loop.command]
    return [f"{loop.command}.{number}" for number in range(1, loop.copies + 1)]
