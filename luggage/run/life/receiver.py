"""ncolony's configuration files and messages → orders to the monitor; a bad one is left out."""

# mypy: disable-error-code="misc"

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ncolony.process_events import Receiver

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Tolerant(Receiver):
    """ncolony's receiver; whatever is wrong with one file or message, the others still count.

    ncolony's directory monitor stops for good at the first exception, or tries the same file for
    ever. What is in the monitor's table does not end with its file: a folder that somebody sweeps
    would end everything.
    """

    def __init__(
        self, monitor: Any, environ: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        super().__init__(monitor, environ)
        self._say = say
        self._added: set[str] = set()

    def add(self, name: str, contents: bytes) -> None:
        try:
            if name in self._added:
                return
            if not _NAME.fullmatch(name):
                raise ValueError("not a name for a process")
            super().add(name, contents)
            self._added.add(name)
        except Exception as problem:
            self._say(f"configuration {name!r}: left out: {_words(problem)}")

    def remove(self, name: str) -> None:
        if name not in self._added:
            return
        if name in self.monitor.table:
            self._say(f"configuration {name!r}: gone, or another; what the table has goes on")
        else:
            self._added.discard(name)
            super().remove(name)

    def message(self, contents: bytes) -> None:
        try:
            super().message(contents)
        except Exception as problem:
            self._say(f"message: thrown away: {_words(problem)}")


def guarded(check: Callable[[], None], what: str, say: Callable[[str], None]) -> Callable[[], None]:
    """`check`, but an exception is told, once in a row, instead of raised."""
    told: list[str] = []

    def run() -> None:
        try:
            check()
        except Exception as problem:
            if told != [str(problem)]:
                told[:] = [str(problem)]
                say(f"{what}: {_words(problem)}")
        else:
            told.clear()

    return run


def _words(problem: Exception) -> str:
    if isinstance(problem, KeyError) and problem.args:
        return str(problem.args[0])
    return f"{type(problem).__name__}: {problem}"
