"""Process definitions → running processes: restarted when they die, stopped in order."""

# Twisted's untyped classes are extended here, and its names are kept.
# mypy: disable-error-code="misc"
# ruff: noqa: N802, N815

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable
from typing import Any

from twisted.internet import error
from twisted.runner.procmon import ProcessMonitor

from luggage.run import kin
from luggage.run.adopt import Adopted
from luggage.run.child import Child, given, how, status
from luggage.run.inherit import Started
from luggage.run.output import Output

CRASHES = 5


class Monitor(ProcessMonitor):
    """ncolony's process monitor, with what a first process of a container needs besides.

    Processes in `first` serve requests: they are stopped before the others, and one of them that
    dies CRASHES times in a row without having become ready ends everything, by `crashed(name,
    status)`. `descriptors` may be inherited: a process gets one when the variable beside it holds
    its number in the process's environment. `started` run already, as this would start them.
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
        descriptors: Collection[tuple[str, int]],
        crashed: Callable[[str, int], None],
        say: Callable[[str], None],
        started: Iterable[Started] = (),
    ) -> None:
        super().__init__(reactor)
        self.output = output
        self.say = say
        self._first = frozenset(first)
        self._descriptors = tuple(descriptors)
        self._crashed = crashed
        self._started = {it.name: it for it in started}
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._asked: set[str] = set()
        self._unready: dict[str, int] = {}
        self._lingering: set[Child] = set()
        self._stopped: Callable[[], None] | None = None
        self._stages: list[Callable[[str], bool]] = []
        self._deadline: Any = None
        self._awaits: tuple[Callable[[], None], Any] | None = None

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
        if name in self._started:
            self._adopt(self._started.pop(name))
            return
        environ = dict(process.env)
        files, ready = given(environ, self._descriptors, self._null, name in self._first)
        child = Child(self, name, ready)
        self.protocols[name] = child
        self.timeStarted[name] = self._clock.seconds()
        place = {"path": process.cwd, "uid": process.uid, "gid": process.gid}
        try:
            self._reactor.spawnProcess(
                child, process.args[0], process.args, env=environ, childFDs=files, **place
            )
        except Exception as problem:
            self.say(f"{name}: cannot be started: {problem}")
            self.exited(child, 127, None)

    def _adopt(self, started: Started) -> None:
        child = Child(self, started.name, started.ready)
        self.protocols[started.name] = child
        self.timeStarted[started.name] = started.since
        Adopted(self._reactor, child, started.pid, started.pipes)

    def became_ready(self, child: Child) -> None:
        """A process that serves requests does so from now on."""
        if not child.ready:
            child.ready = True
            self._unready.pop(child.name, None)
            took = self._clock.seconds() - self.timeStarted[child.name]
            self.say(f"{child.name}: ready after {took:.1f} s")
            self._wait_no_more()

    def serves(self) -> bool:
        """Whether a process that serves requests is ready."""
        return any(name in self._first and it.ready for name, it in self.protocols.items())

    def when_it_serves(self, call: Callable[[], None], seconds: float) -> None:
        """Call `call` when one is ready, or after `seconds`; none waits longer to be started."""
        self._awaits = call, self._clock.callLater(seconds, self._wait_no_more)
        for name in self._first:
            if name in self.restart and self.restart[name].active():
                self.restart[name].cancel()
                self.startProcess(name)

    def _wait_no_more(self) -> None:
        if self._awaits is not None:
            (call, limit), self._awaits = self._awaits, None
            if limit.active():
                limit.cancel()
            call()

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
        child.kill()

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
