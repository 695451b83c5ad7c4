"""A process table as it is written → what is wrong in it, a line each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from luggage.run.table.entries import Cron, Entry, Loop, Web

BEAT = 1.0  # seconds; the supervisor looks twice as often
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_APP = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def problems(table: Sequence[Entry], commands: Collection[str]) -> list[str]:
    """What is wrong in `table`, a line each."""
    wrong = []
    for entry in table:
        subject = f"process '{entry.command}'"
        if not _NAME.fullmatch(entry.command):
            wrong.append(f"{subject}: a command's name is lower-case letters, digits and _")
        elif entry.command not in commands:
            wrong.append(f"{subject}: the deployment has no such command")
        wrong += [f"{subject}: {it}" for it in _mistakes(entry)]
        if entry.command == "luggage":
            wrong.append(f"{subject}: the supervisor's own name in the log")
    twice = [name for name, count in Counter(entry.command for entry in table).items() if count > 1]
    wrong += [f"process '{name}': in the table more than once" for name in twice]
    return wrong


def _mistakes(entry: Entry) -> list[str]:
    if isinstance(entry, Web):
        return _serving(entry)
    if isinstance(entry, Cron):
        try:
            entry.rhythm()
        except ValueError as error:
            return [str(error)]
    if isinstance(entry, Loop):
        few = [f"{entry.copies} copies, at least 1 is needed"] if entry.copies < 1 else []
        return few + _heart(entry)
    return []


def _serving(web: Web) -> list[str]:
    wrong = []
    if not _APP.fullmatch(web.app):
        wrong.append(f"app {web.app!r} is not of the form package.module:name")
    for path, seconds in [("", web.deadline), *web.deadlines.items()]:
        if seconds is not None and seconds < 0:
            wrong.append(f"deadline {seconds:g}: not a number of seconds")
        if path and not path.startswith("/"):
            wrong.append(f"deadlines: path {path!r} does not begin with a /")
    return wrong


def _heart(loop: Loop) -> list[str]:
    if loop.beat is None:
        return ["grace is for one with a beat"] if loop.grace is not None else []
    wrong = [f"beat {loop.beat:g}: at least {BEAT:g} second"] if loop.beat < BEAT else []
    if loop.grace is not None and loop.grace < loop.beat:
        wrong.append(f"grace {loop.grace:g}: at least its beat, {loop.beat:g}")
    return wrong
