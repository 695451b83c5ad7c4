"""Checks and releases, run before anything that stays → whether all else may start."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from luggage.run.kernel import ending
from luggage.run.kernel.private import Private
from luggage.run.log.output import Lines
from luggage.run.log.pressure import STEP
from luggage.run.start import inherit
from luggage.run.table.processes import Process
from luggage.web import heard

LOOK = 0.05  # seconds between looks for signals
PATIENCE = 35.0  # seconds after TERM, as a monitor has it
MOST = 100  # dead orphans at once
CHUNK = 8192  # bytes; as JSON they may be a hundred times as many
GONE = (ProcessLookupError, PermissionError)  # or what is there has become another user's


@dataclass(frozen=True)
class Ended:
    """How a process ended, in words, and the exit status that tells of it; 0 where all is well."""

    process: Process
    words: str
    status: int


@dataclass
class _Step:
    process: Process
    started: inherit.Started
    watch: int  # its pid's descriptor
    lines: dict[int, Lines] = field(default_factory=dict)  # by our end of its pipe
    rest: dict[int, int] | None = None  # when it is dead: the bytes that it has left in each


class Steps:
    """Runs commands to their end: `output` gets what they print; `rooms` are theirs.

    `command` gives the argument list of a process; `stop` are signals that are blocked: one that
    has come asks all of them to stop. While `pause` says so, nothing that they print is read.
    Where `others` are told, for which somebody else waits, all else that dies meanwhile is reaped,
    as the first process of a container owes it.
    """

    def __init__(
        self,
        *,
        command: Callable[[Process], list[str]],
        environ: Mapping[str, str],
        output: Any,
        rooms: Private,
        stop: Collection[int],
        pause: Callable[[], bool] = lambda: False,
        others: Collection[int] | None = None,
    ) -> None:
        self._command = command
        self._environ = environ
        self._output = output
        self._rooms = rooms
        self._stop = set(stop)
        self._pause = pause
        self._others = others
        self._asked: float | None = None

    @property
    def stopped(self) -> bool:
        """Whether a signal has come."""
        return self._asked is not None or bool(signal.sigpending() & self._stop)

    def run(self, processes: Sequence[Process]) -> list[Ended]:
        """Run all of these at once, to the last one's end; how each ended, in their order."""
        steps: list[_Step] = []
        ends: dict[str, Ended] = {}
        for process in processes:
            room = self._rooms.begin(process.name)
            try:
                started = inherit.start(process, self._command(process), self._environ, None, room)
            except OSError as error:
                self._rooms.end(room)
                why = os.strerror(error.errno or 0).lower()
                ends[process.name] = Ended(process, f"cannot be started: {why}", 127)
                continue
            lines = {started.pipes[number]: self._output.stream() for number in (1, 2)}
            steps.append(_Step(process, started, os.pidfd_open(started.pid), lines))
        while steps:
            self._heed(steps)
            if self._others is not None:
                _reap({*self._others, *(it.started.pid for it in steps)})
            waits = self._pause()
            watched = [it.watch for it in steps if it.rest is None]
            watched += [pipe for it in steps for pipe in it.lines if not waits]
            found = set(select.select(watched, [], [], STEP if waits else LOOK)[0])
            for step in list(steps):
                if step.watch in found:
                    step.rest = {pipe: heard.held(pipe) for pipe in step.lines}
                for pipe in found & step.lines.keys():
                    self._read(step, pipe)
                if step.rest is not None and not any(step.rest.values()):
                    steps.remove(step)
                    ends[step.process.name] = self._end(step)
        return [ends[process.name] for process in processes]

    def _heed(self, steps: Sequence[_Step]) -> None:
        now = time.monotonic()
        if self._asked is None and self.stopped:
            self._asked = now
            for step in steps:
                with contextlib.suppress(*GONE):
                    os.kill(step.started.pid, signal.SIGTERM)
        elif self._asked is not None and now - self._asked > PATIENCE:
            for step in steps:
                with contextlib.suppress(*GONE):
                    os.killpg(step.started.pid, signal.SIGKILL)

    def _read(self, step: _Step, pipe: int) -> None:
        """Read some of what is there; of a dead one no more than it has left: others may go on."""
        most = CHUNK if step.rest is None else min(CHUNK, step.rest[pipe])
        if not most:
            return
        data = os.read(pipe, most)
        self._print(step, pipe, step.lines[pipe].feed(data) if data else step.lines[pipe].end())
        if step.rest is not None:
            step.rest[pipe] -= len(data)
        if not data:
            del step.lines[pipe]

    def _print(self, step: _Step, pipe: int, pieces: list[tuple[bool, bytes]]) -> None:
        stream = 1 if pipe == step.started.pipes[1] else 2
        self._output.lines(step.process.name, pieces, step.started.pid, stream)

    def _end(self, step: _Step) -> Ended:
        """It is dead, and all that it has printed is read: what it has left behind may go on."""
        _, status = os.waitpid(step.started.pid, 0)
        for pipe, lines in step.lines.items():
            self._print(step, pipe, lines.end())
        for number in (step.watch, *step.started.pipes.values()):
            os.close(number)
        self._rooms.end(step.started.room)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return Ended(step.process, ending.how(0, None), 0)
        pair = (code, None) if code > 0 else (None, -code)
        return Ended(step.process, ending.how(*pair), ending.status(*pair))


def _reap(kept: Collection[int]) -> None:
    """Wait for orphans that are dead; where one of `kept` is, that is to go first."""
    for _ in range(MOST):
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in kept:
            return
        os.waitpid(found.si_pid, os.WNOHANG)


def passed(wanted: Sequence[Process], steps: Steps, output: Any) -> int | None:
    """None where everything else may start, else the exit status: that of the first that failed.

    All checks are run, at the same time, then the releases, one after another. Those that fail are
    told, with their last lines. Where a signal has come, the status is 0.
    """
    checks = [process for process in wanted if process.kind == "check"]
    releases = [process for process in wanted if process.kind == "release"]
    for some in filter(None, (checks, *([release] for release in releases))):
        names = ", ".join(process.name for process in some)
        output.say(f"{some[0].kind}: {names}")
        ends = steps.run(some)
        if steps.stopped:
            output.say("told to stop: nothing else is started")
            return 0
        failed = [ended for ended in ends if ended.status]
        if failed:
            _tell(failed, output)
            return failed[0].status
    return None


def _tell(failed: Sequence[Ended], output: Any) -> None:
    for ended in failed:
        output.say(f"{ended.process.name}: its last lines were:")
        output.again(ended.process.name)
    for ended in failed:
        output.say(f"error: {ended.process.kind} '{ended.process.name}': {ended.words}")
    output.say("nothing else is started")
