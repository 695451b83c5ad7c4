"""A process of the table + the supervisor's environment → what that process is started with."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from luggage.board import VARIABLE as BOARD
from luggage.crypto.sources import CREDENTIALS
from luggage.crypto.sources import DESCRIPTOR as KEY
from luggage.run.kernel import kin
from luggage.run.kernel.heart import VARIABLE as HEART
from luggage.run.kernel.heart import Heart
from luggage.run.kernel.listen import VARIABLE as LISTEN
from luggage.run.kernel.notify import VARIABLES as SYSTEMD
from luggage.run.kernel.private import Room
from luggage.run.kernel.spawn import spawn
from luggage.run.start.warm import Waiting
from luggage.run.table.processes import Process

READY = "LUGGAGE_READY_FD"
STEP = 0.01  # seconds between looks for signals

# The key is in LUGGAGE_KEY_FD; NCOLONY_CONFIG would repeat the whole configuration of a process.
NOT_INHERITED = SYSTEMD | frozenset(
    {"SECRET_KEY", "SECRET_KEY_FILE", "NCOLONY_CONFIG", "LISTEN_FDS", "LISTEN_PID", LISTEN, HEART}
)


@dataclass(frozen=True)
class Started:
    """The first life of the process `name`: its pid, since when it runs, its own descriptors of
    output → those here, the one of them on which it tells that it is ready, if it does, its heart,
    if it has one, and its room."""

    name: str
    pid: int
    since: float
    pipes: Mapping[int, int]
    ready: int | None
    heart: Heart | None
    room: Room


def await_ready(started: Started, seconds: float, signals: Collection[int]) -> None:
    """Wait until it is ready or dead, or a blocked one of `signals` has come; `seconds` at most.

    Nothing is read: its monitor does that.
    """
    if started.ready is None:
        return
    end = time.monotonic() + seconds
    while time.monotonic() < end and not signal.sigpending() & set(signals):
        if select.select([started.pipes[started.ready]], [], [], STEP)[0]:
            return


def names(process: Process, environ: Mapping[str, str]) -> list[str]:
    """The variables of `environ` that `process` inherits."""
    return sorted(environ.keys() - NOT_INHERITED - (set() if process.key else {KEY, CREDENTIALS}))


def variables(
    process: Process, environ: Mapping[str, str], listener: int | None, room: Room
) -> tuple[dict[str, str], list[int]]:
    """The environment that the monitor starts `process` in, and the descriptors that go with it."""
    own = {name: environ[name] for name in names(process, environ)} | dict(room.variables)
    own.setdefault("PATH", os.defpath)
    own[kin.SUPERVISOR] = str(os.getpid())
    if listener is not None:
        own[LISTEN] = str(listener)
    return own, [int(own[name]) for name in (LISTEN, KEY, BOARD) if own.get(name, "").isdigit()]


def hand_over(
    waiting: Waiting, process: Process, environ: Mapping[str, str], listener: int, room: Room
) -> Started | None:
    """Let `waiting` be the first life of `process`, which serves the socket `listener`.

    None where it cannot be: it is gone then.
    """
    own, kept = variables(process, environ, listener, room)
    beats = _heard(process, own, kept)
    ready = max([*kept, 2]) + 1
    own[READY] = str(ready)

    def go(files: Mapping[int, int]) -> int:
        pid = waiting.pid
        waiting.go(process.arguments, own, files)
        return pid

    try:
        return _started(process, go, kept, room, ready=ready, beats=beats)
    except OSError:
        waiting.end()
        return None


def start(
    process: Process,
    words: list[str],
    environ: Mapping[str, str],
    listener: int | None,
    room: Room,
) -> Started:
    """The first life of a `process` that does not tell when it is ready; raises OSError where it
    has none."""
    own, kept = variables(process, environ, listener, room)
    beats = _heard(process, own, kept)
    return _started(process, lambda files: spawn(words, own, files), kept, room, beats=beats)


def heart(process: Process) -> Heart | None:
    """The heart of one life of `process`, where that beats."""
    return None if process.beat is None else Heart(process.beat, process.grace)


def _heard(process: Process, own: dict[str, str], kept: list[int]) -> Heart | None:
    """Its heart, which goes into its environment and to its descriptors."""
    beats = heart(process)
    if beats is not None:
        own[HEART] = str(beats.descriptor)
        kept.append(beats.descriptor)
    return beats


def _started(
    process: Process,
    begin: Callable[[Mapping[int, int]], int],
    kept: list[int],
    room: Room,
    *,
    ready: int | None = None,
    beats: Heart | None = None,
) -> Started:
    pipes: dict[int, int] = {}
    given: dict[int, int] = {}
    since = time.monotonic()
    try:
        for number in (1, 2) if ready is None else (1, 2, ready):
            pipes[number], given[number] = os.pipe()
        pid = begin({**{number: number for number in kept}, **given})
    except OSError:
        for pipe in pipes.values():
            os.close(pipe)
        if beats is not None:
            beats.close()
        raise
    finally:
        for pipe in given.values():
            os.close(pipe)
    return Started(process.name, pid, since, pipes, ready, beats, room)
