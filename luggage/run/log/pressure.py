"""How much processes print, and how slow the log's reader is → when what they print is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from luggage.run.log.writer import Writer

STEP = 0.005  # seconds between looks for room
FEW = 4096  # bytes that come at once from who prints a line here and there
REST = 0.01  # seconds in which more of these may come
PATIENCE = 1.0  # seconds; then lines are lost, and nobody waits until there is room again


class Pressure:
    """Lets those wait that print while the log of `writer` is half full, until it is a quarter.

    Nobody waits for longer than PATIENCE: a log that nobody reads stops nothing.

    Few bytes are followed by a rest, so that many lines are read at once: else a web server that
    answers thousands of requests a second would wake the supervisor for the line of each.
    """

    def __init__(self, reactor: Any, writer: Writer) -> None:
        self._reactor = reactor
        self._writer = writer
        self._held: set[Any] = set()
        self._resting: set[Any] = set()
        self._since = 0.0
        self._gave_up = False

    def hold(self, transport: Any, size: int) -> None:
        """Let the process behind `transport`, which has just printed `size` bytes, wait if need
        be."""
        if self._gave_up:
            self._gave_up = self._writer.waiting > self._writer.limit // 4
        elif self._writer.waiting > self._writer.limit // 2 and transport not in self._held:
            if not self._held:
                self._since = self._reactor.seconds()
                self._reactor.callLater(STEP, self._look)
            self._held.add(transport)
            _stop(transport)
        if size < FEW and transport not in self._resting and transport not in self._held:
            self._resting.add(transport)
            _stop(transport)
            self._reactor.callLater(REST, self._wake, transport)

    def _wake(self, transport: Any) -> None:
        self._resting.discard(transport)
        if transport not in self._held:
            _start(transport)

    def _look(self) -> None:
        room = self._writer.waiting <= self._writer.limit // 4
        self._gave_up = not room and self._reactor.seconds() - self._since > PATIENCE
        if not room and not self._gave_up:
            self._reactor.callLater(STEP, self._look)
            return
        held, self._held = self._held, set()
        for transport in held - self._resting:
            _start(transport)


class Pause:
    """The same for whoever reads in a loop of its own: whether it is to leave what processes print
    where it is. `now` is in seconds."""

    def __init__(self, writer: Writer, now: Callable[[], float] = time.monotonic) -> None:
        self._writer = writer
        self._now = now
        self._since: float | None = None

    def __call__(self) -> bool:
        waiting = self._writer.waiting
        if waiting <= self._writer.limit // 4:
            self._since = None
        elif self._since is None and waiting > self._writer.limit // 2:
            self._since = self._now()
        return self._since is not None and self._now() - self._since <= PATIENCE


def _stop(transport: Any) -> None:
    for reader in _readers(transport):
        reader.stopReading()


def _start(transport: Any) -> None:
    for reader in _readers(transport):
        reader.startReading()


def _readers(transport: Any) -> list[Any]:
    """The ends of its stdout and stderr, where they are open still."""
    return [transport.pipes[number] for number in (1, 2) if number in transport.pipes]
