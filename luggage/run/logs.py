"""LOG_FORMAT and LOG_LEVEL → what this process logs, as lines on stdout."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from luggage import board
from luggage.run import settings
from luggage.run.log import layout, pieces

OUT = 1  # sys.stdout may be another file, or none, and is not to be entered twice
OWN = ("gunicorn.error", "gunicorn.access")
STEP = 0.5  # seconds between looks at the board


class Handler(logging.Handler):
    """Writes each record, as `written`, to the descriptor `out`.

    It has no lock: a thread that is interrupted would keep it for ever. Where other processes write
    there as well, `shared`, what no pipe takes at once is written line by line, so that none is cut
    by another's; an object in JSON, which is one line, when there is room for it.
    """

    def __init__(self, written: layout.Layout, out: int = OUT, *, shared: bool = False) -> None:
        super().__init__()
        self._written = written
        self._out = out
        self._shared = shared

    def createLock(self) -> None:  # noqa: N802
        """None."""
        self.lock = None

    def handle(self, entry: logging.LogRecord) -> bool:
        """Write `entry`, unless a filter is against it."""
        for level in _level:
            level.look_alone()
        if self.filter(entry):
            self.emit(entry)
        return True

    def emit(self, entry: logging.LogRecord) -> None:
        """Write `entry`; a reader that is gone stops nothing."""
        data = self._written(entry).encode("utf-8", "backslashreplace") + b"\n"
        if len(data) <= pieces.WHOLE or not self._shared:
            self._write(data)
        elif self._written is layout.json:
            pieces.await_room(self._out, len(data))
            self._write(data)
        else:
            for lines in pieces.lines(data):
                self._write(lines)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        with contextlib.suppress(OSError):
            while rest:
                try:
                    rest = rest[os.write(self._out, rest) :]
                except BlockingIOError:
                    select.select([], [self._out], [])


class _Level:
    """The level of this process: LOG_LEVEL, or whatever the board says now."""

    def __init__(self, level: str, view: board.View | None) -> None:
        self._view = view
        self._level = ""
        self._watched = 0  # the process whose thread looks
        self.look(level if view is None else view.level)

    def look(self, level: str | None = None) -> None:
        if level is None:
            level = self._level if self._view is None else self._view.level
        if level != self._level:
            self._level = level
            for name in (None, *OWN):
                logging.getLogger(name).setLevel(level.upper())

    def look_alone(self) -> None:
        """Look, where no thread does."""
        if self._watched != os.getpid():
            self.look()

    def follow(self) -> None:
        self.look()
        if self._view is not None and self._watched != os.getpid():
            self._watched = os.getpid()
            threading.Thread(target=self._watch, daemon=True, name="log level").start()

    def _watch(self) -> None:
        while True:
            time.sleep(STEP)
            self.look()


_level: list[_Level] = []


def configure(environ: Mapping[str, str] | None = None, *, shared: bool = False) -> None:
    """Let every record of this process be a line on stdout, as LOG_FORMAT and LOG_LEVEL say.

    The level follows the supervisor's from then on. Where several processes print under one name,
    `shared`, a human reads time and pid as well, and the level is followed by `follow` alone: a
    process that forks has no thread. In JSON, warnings and uncaught exceptions are records too.
    """
    environ = os.environ if environ is None else environ
    server = settings.read(settings.Server, environ)
    json = server.log_format == "json"
    written = layout.json if json else layout.shared if shared else layout.human
    handler = Handler(written, shared=shared)
    for name in (None, *OWN):
        logger = logging.getLogger(name)
        for old in list(logger.handlers):
            logger.removeHandler(old)
        logger.addHandler(handler)
        logger.propagate = name is None
    _level[:] = [_Level(server.log_level, board.inherited(environ))]
    if json:
        logging.captureWarnings(True)
        sys.excepthook = _uncaught
        threading.excepthook = _uncaught_in_thread
        sys.unraisablehook = _unraisable
    if shared:
        pieces.widen(OUT)
    else:
        follow()


def follow() -> None:
    """Look at the board twice a second, in a thread; a forked child begins anew.

    Where nobody does, the level is the board's from the next record on.
    """
    for level in _level:
        level.follow()


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _tell(logging.CRITICAL, "uncaught", error)


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and not isinstance(told.exc_value, SystemExit):
        _tell(
            logging.ERROR, f"uncaught in thread {told.thread and told.thread.name}", told.exc_value
        )


def _unraisable(told: Any) -> None:
    _tell(logging.ERROR, told.err_msg or f"ignored in {told.object!r}", told.exc_value)


def _tell(level: int, what: str, error: BaseException) -> None:
    logging.getLogger().log(
        level,
        "%s: %s",
        what,
        type(error).__name__,
        exc_info=(type(error), error, error.__traceback__),
    )
