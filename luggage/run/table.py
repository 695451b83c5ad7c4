"""A deployment's process table → the processes to run, by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from luggage.errors import LuggageError, all_wrong

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_APP = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

GRACE = 30.0  # seconds that a life has for its first beat: to import, to wait for others
BEAT = 1.0  # seconds; the supervisor looks twice as often


@dataclass(frozen=True)
class Web:
    """The web server: `app` is a WSGI callable as `package.module:name`."""

    app: str

    @property
    def command(self) -> str:
        """The command that serves it."""
        return "gunicorn"


@dataclass(frozen=True)
class Loop:
    """The command `command`, run for ever, `copies` times at once.

    While one that is `needed` crash-loops, the deployment is not ready. It is not started where the
    variable `unless` is set to something, and gets no key where `key` is False. `port` is the
    variable with the port that it serves on 127.0.0.1: the supervisor opens that before anything is
    started, so that nobody else can answer there, now or later.

    One with `beat` tells by `luggage.run.beat` that it goes on: where it has not for `beat` seconds
    it is killed and started again, after it has printed what all its threads do. Each life has
    `grace` seconds for its first beat; by default GRACE, or `beat` where that is more.
    """

    command: str
    copies: int = 1
    unless: str | None = None
    key: bool = True
    port: str | None = None
    needed: bool = False
    beat: float | None = None
    grace: float | None = None


@dataclass(frozen=True)
class Process:
    """One process of a table: its `name` in the log, and the command with its arguments.

    A process that is `web` serves the port, and is stopped before the others. `key`, `port`,
    `needed` and `beat` are as in `Loop`; `grace` is for one that beats.
    """

    name: str
    command: str
    arguments: tuple[str, ...] = ()
    web: bool = False
    key: bool = True
    port: str | None = None
    needed: bool = False
    beat: float | None = None
    grace: float = GRACE

    @property
    def kind(self) -> str:
        """As in `states.State`."""
        return "web" if self.web else "loop"


def expand(
    table: Sequence[Web | Loop], environ: Mapping[str, str], commands: Collection[str]
) -> list[Process]:
    """The processes that `table` asks for under `environ`, in its order.

    `commands` are the names of the deployment's commands. Raises LuggageError with everything that
    is wrong in the table, whatever `environ` leaves out.
    """
    wrong = problems(table, commands)
    if wrong:
        raise LuggageError(all_wrong(wrong), "mend PROCESSES in the deployment's start.py")
    processes = []
    for entry in table:
        if isinstance(entry, Web):
            processes.append(Process(entry.command, entry.command, (entry.app,), web=True))
        elif not (entry.unless and environ.get(entry.unless)):
            processes += _loops(entry)
    if not processes:
        raise LuggageError(
            "process table: nothing to start", "mend PROCESSES in the deployment's start.py"
        )
    return processes


def problems(table: Sequence[Web | Loop], commands: Collection[str]) -> list[str]:
    """What is wrong in `table`, a line each."""
    wrong = []
    for entry in table:
        subject = f"process '{entry.command}'"
        if not _NAME.fullmatch(entry.command):
            wrong.append(f"{subject}: a command's name is lower-case letters, digits and _")
        elif entry.command not in commands:
            wrong.append(f"{subject}: the deployment has no such command")
        if isinstance(entry, Web) and not _APP.fullmatch(entry.app):
            wrong.append(f"{subject}: app {entry.app!r} is not of the form package.module:name")
        if isinstance(entry, Loop) and entry.copies < 1:
            wrong.append(f"{subject}: {entry.copies} copies, at least 1 is needed")
        if isinstance(entry, Loop):
            wrong += [f"{subject}: {it}" for it in _heart(entry)]
        if isinstance(entry, Loop) and entry.command == "luggage":
            wrong.append(f"{subject}: the supervisor's own name in the log")
    twice = [name for name, count in Counter(entry.command for entry in table).items() if count > 1]
    wrong += [f"process '{name}': in the table more than once" for name in twice]
    return wrong


def _heart(loop: Loop) -> list[str]:
    if loop.beat is None:
        return ["grace is for one with a beat"] if loop.grace is not None else []
    wrong = [f"beat {loop.beat:g}: at least {BEAT:g} second"] if loop.beat < BEAT else []
    if loop.grace is not None and loop.grace < loop.beat:
        wrong.append(f"grace {loop.grace:g}: at least its beat, {loop.beat:g}")
    return wrong


def _loops(loop: Loop) -> list[Process]:
    grace = max(GRACE, loop.beat or 0) if loop.grace is None else loop.grace
    return [
        Process(
            name,
            loop.command,
            key=loop.key,
            port=loop.port,
            needed=loop.needed,
            beat=loop.beat,
            grace=grace,
        )
        for name in _names(loop)
    ]


def _names(loop: Loop) -> list[str]:
    if loop.copies == 1:
        return [loop.command]
    return [f"{loop.command}.{number}" for number in range(1, loop.copies + 1)]
