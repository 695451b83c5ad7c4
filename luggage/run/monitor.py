"""Process definitions → running processes: restarted when they die, stopped in order."""

# Twisted's untyped classes are extended here, and its names are kept.
# mypy: disable-error-code="misc"
# ruff: noqa: N802, N803, N815

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Collection, Mapping
from typing import Any

from twisted.internet import error, protocol
from twisted.runner.procmon import ProcessMonitor

from luggage.run import kin
from luggage.run.output import Lines, Output

LISTEN = "LUGGAGE_LISTEN_FD"
READY = "LUGGAGE_READY_FD"
KEY = "LUGGAGE_KEY_FD"

CRASHES = 5
PIPE = 128  # reads of 8 KiB: more than any pipe holds


class Child(protocol.ProcessProtocol):
    """One life of one process: its output, whether it became ready, and how it ended."""

    def __init__(self, monitor: Monitor, name: str, ready: int | None) -> None:
        self.monitor = monitor
        self.name = name
        self.ready = ready is None
        self._ready = ready
        self._lines = {1: Lines(), 2: Lines()}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == self._ready:
            self.monitor.became_ready(self)
            self.transport.closeChildFD(childFD)
        else:
            self.monitor.output.lines(self.name, self._lines[childFD].feed(data))

    def childConnectionLost(self, childFD: int) -> None:
        if childFD in self._lines:
            self.monitor.output.lines(self.name, self._lines[childFD].end())

    def processExited(self, reason: Any) -> None:
        # Its pipes may stay open: a gunicorn worker outlives its master to finish its requests.
        self._read_what_is_there()
        self.monitor.exited(self, reason.value.exitCode, reason.value.signal)

    def processEnded(self, reason: Any) -> None:
        self.monitor.ended(self)

    def _read_what_is_there(self) -> None:
        """Read what it has printed, so that its last lines stand before the news of its end."""
        for reader in list(self.transport.pipes.values()):
            poll = select.poll()
            poll.register(reader.fileno(), select.POLLIN)
            for _ in range(PIPE):
                if not any(event & select.POLLIN for _, event in poll.poll(0)) or reader.doRead():
                    break


class Monitor(ProcessMonitor):
    """ncolony's process monitor, with what a first process of a container needs besides.

    Processes in `first` serve requests: they are stopped before the others, and one of them that
    dies CRASHES times in a row without having become ready ends everything, by `crashed(name,
    status)`. `descriptors` may be inherited: a process gets one when a variable of its environment
    holds its number.
    """

    threshold = 5  # seconds; a shorter life counts as quick
    killTime = 35  # seconds; gunicorn itself gives up on requests after 30
    minRestartDelay = 0.1
    maxRestartDelay = 30
    lastWords = 1  # seconds for output that comes after a process's end

    def __init__(
        self,
        reactor: Any,
        output: Output,
        *,
        first: Collection[str],
        descriptors: Mapping[str, int],
        crashed: Callable[[str, int], None],
        say: Callable[[str], None],
    ) -> None:
        super().__init__(reactor)
        self.output = output
        self.say = say
        self._first = frozenset(first)
        self._descriptors = dict(descriptors)
        self._crashed = crashed
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._asked: set[str] = set()
        self._unready: dict[str, int] = {}
        self._lingering: set[Child] = set()
        self._stopped: Callable[[], None] | None = None
        self._stages: list[Callable[[str], bool]] = []
        self._deadline: Any = None

    def close(self) -> None:
        """Close what was opened for the children."""
        os.close(self._null)

    # -- starting

    def addProcess(  # noqa: PLR0917
        self,
        name: str,
        args: list[str],
        uid: int | None = None,
        gid: int | None = None,
        env: dict[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        """Add a process; its environment is `env`, a PATH, and the number of its supervisor."""
        inherited = {key: value for key, value in (env or {}).items() if key != "NCOLONY_CONFIG"}
        inherited.setdefault("PATH", os.defpath)
        inherited[kin.SUPERVISOR] = str(os.getpid())
        if not args or not all(isinstance(word, str) for word in [*args, *inherited.values()]):
            raise ValueError("args and env hold strings, and args at least one")
        super().addProcess(name, args, uid, gid, inherited, cwd)

    def startProcess(self, name: str) -> None:
        if not self.running or name in self.protocols or name not in self._processes:
            return
        process = self._processes[name]
        environ = dict(process.env)
        files: dict[int, Any] = {0: self._null, 1: "r", 2: "r"}
        for variable, descriptor in self._descriptors.items():
            if environ.get(variable) == str(descriptor):
                files[descriptor] = descriptor
        ready = None
        if name in self._first:
            ready = max([*files, 2]) + 1
            files[ready] = "r"
            environ[READY] = str(ready)
        child = Child(self, name, ready)
        self.protocols[name] = child
        self.timeStarted[name] = self._clock.seconds()
        try:
            self._reactor.spawnProcess(
                child,
                process.args[0],
                process.args,
                env=environ,
                path=process.cwd,
                uid=process.uid,
                gid=process.gid,
                childFDs=files,
            )
        except Exception as problem:
            self.say(f"{name}: cannot be started: {problem}")
            self.exited(child, 127, None)

    def became_ready(self, child: Child) -> None:
        """A process that serves requests does so from now on."""
        if not child.ready:
            child.ready = True
            self._unready.pop(child.name, None)
            took = self._clock.seconds() - self.timeStarted[child.name]
            self.say(f"{child.name}: ready after {took:.1f} s")

    # -- ending

    def exited(self, child: Child, code: int | None, number: int | None) -> None:
        """A process is gone: tell how, and start it again where it should run."""
        name = child.name
        murder = self.murder.pop(name, None)
        if murder is not None and murder.active():
            murder.cancel()
        del self.protocols[name]
        if child.transport is not None:
            self._lingering.add(child)
        asked = name in self._asked
        self._asked.discard(name)
        lived = self._clock.seconds() - self.timeStarted[name]
        told = f"{name}: {how(code, number)} after {lived:.1f} s"
        if not self.running or name not in self._processes:
            self.say(told)
            self._advance()
            return
        delay = 0.0 if asked else self._delay(name, lived)
        if name in self._first and not child.ready and not asked:
            self._unready[name] = self._unready.get(name, 0) + 1
            if self._unready[name] >= CRASHES:
                self.say(f"{told}, for the {CRASHES}th time without having become ready")
                self._crashed(name, status(code, number))
                return
        self.say(f"{told}; starting it again " + (f"in {delay:.1f} s" if delay else "now"))
        self.restart[name] = self._clock.callLater(delay, self.startProcess, name)

    def _delay(self, name: str, lived: float) -> float:
        if lived >= self.threshold:
            self.delay[name] = self.minRestartDelay
            return self.minRestartDelay
        delay = float(self.delay[name])
        self.delay[name] = min(delay * 2, self.maxRestartDelay)
        return delay

    def ended(self, child: Child) -> None:
        """A process is gone, and everything that held its output as well."""
        self._lingering.discard(child)
        self._advance()

    # -- stopping

    def stopProcess(self, name: str) -> None:
        """Ask a process to stop; after `killTime` seconds it is killed, with its group."""
        if name not in self._processes:
            raise KeyError(f"there is no process '{name}'")
        child = self.protocols.get(name)
        if child is None or name in self.murder:
            return
        self._asked.add(name)
        with contextlib.suppress(error.ProcessExitedAlready):
            child.transport.signalProcess("TERM")
        self.murder[name] = self._clock.callLater(self.killTime, self._kill, child)

    def _kill(self, child: Child) -> None:
        self.say(f"{child.name}: still runs {self.killTime} s after TERM: killed")
        pid = child.transport.pid
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)

    def stop(self, stopped: Callable[[], None]) -> None:
        """Stop what serves requests, then all else; then call `stopped`."""
        self.running = 0
        for call in self.restart.values():
            if call.active():
                call.cancel()
        self._stopped = stopped
        self._stages = [lambda name: name in self._first, lambda _: True]
        self._enter_stage()

    def _enter_stage(self) -> None:
        for name in [name for name in self.protocols if self._stages[0](name)]:
            if name in self._processes:
                self.stopProcess(name)
        # The last stage only waits for a few more lines: what lingers there answers no request.
        patience = self.killTime + 1 if len(self._stages) > 1 else self.lastWords
        self._deadline = self._clock.callLater(patience, self._forget_lingering)
        self._advance()

    def _forget_lingering(self) -> None:
        self._lingering.clear()
        self._advance()

    def _advance(self) -> None:
        """Go on to the next stage of stopping when nothing of this one is left."""
        if self._stopped is None or not self._stages:
            return
        stage = self._stages[0]
        if any(stage(name) for name in self.protocols):
            return
        if any(stage(child.name) for child in self._lingering):
            if not self._deadline.active():
                self._lingering.clear()
            else:
                return
        if self._deadline.active():
            self._deadline.cancel()
        self._stages.pop(0)
        if self._stages:
            self._enter_stage()
        else:
            self._stopped()


def how(code: int | None, number: int | None) -> str:
    """How a process ended, in words."""
    if number is None:
        return f"exited with status {code or 0}"
    try:
        return f"killed by signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"killed by signal {number}"


def status(code: int | None, number: int | None) -> int:
    """The exit status that tells of a crashed process: its own; 128 + N for signal N; never 0."""
    return 128 + number if number is not None else (code or 1)
