"""A process of the table + the supervisor's environment → what that process is started with."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from luggage.crypto.sources import DESCRIPTOR as KEY
from luggage.run import kin
from luggage.run.listen import VARIABLE as LISTEN
from luggage.run.table import Process
from luggage.run.warm import Waiting

READY = "LUGGAGE_READY_FD"
STEP = 0.01  # seconds between looks for signals

# The key is in LUGGAGE_KEY_FD; NCOLONY_CONFIG would repeat the whole configuration of a process.
NOT_INHERITED = frozenset(
    {"SECRET_KEY", "SECRET_KEY_FILE", "NCOLONY_CONFIG", "LISTEN_FDS", "LISTEN_PID", LISTEN}
)


@dataclass(frozen=True)
class Started:
    """The first life of the process `name`: its pid, since when it runs, its own descriptors of
    output → those here, and the one of them on which it tells that it is ready."""

    name: str
    pid: int
    since: float
    pipes: Mapping[int, int]
    ready: int


def await_ready(started: Started, seconds: float, signals: Collection[int]) -> None:
    """Wait until it is ready or dead, or a blocked one of `signals` has come; `seconds` at most.

    Nothing is read: its monitor does that.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end and not signal.sigpending() & set(signals):
        if select.select([started.pipes[started.ready]], [], [], STEP)[0]:
            return


def names(process: Process, environ: Mapping[str, str]) -> list[str]:
    """The variables of `environ` that `process` inherits."""
    return sorted(environ.keys() - NOT_INHERITED - (set() if process.key else {KEY}))


def hand_over(
    waiting: Waiting, process: Process, environ: Mapping[str, str], listener: int
) -> Started | None:
    """Let `waiting` be the first life of `process`, which serves the socket `listener`.

    It gets what the monitor would start it with. None where it cannot be: it is gone then.
    """
    own = {name: environ[name] for name in names(process, environ)}
    own.setdefault("PATH", os.defpath)
    own[kin.SUPERVISOR] = str(os.getpid())
    own[LISTEN] = str(listener)
    kept = [listener, *(int(own[name]) for name in (KEY,) if own.get(name, "").isdigit())]
    ready = max([*kept, 2]) + 1
    own[READY] = str(ready)
    pipes: dict[int, int] = {}
    given: dict[int, int] = {}
    try:
        for number in (1, 2, ready):
            pipes[number], given[number] = os.pipe()
        waiting.go(process.arguments, own, {**{number: number for number in kept}, **given})
    except OSError:
        for pipe in pipes.values():
            os.close(pipe)
        waiting.end()
        return None
    finally:
        for pipe in given.values():
            with contextlib.suppress(OSError):
                os.close(pipe)
    return Started(process.name, waiting.pid, waiting.since, pipes, ready)
