"""Process definitions → running processes: restarted when they die, stopped in order."""

# Twisted's untyped classes are extended here, and its names are kept.
# mypy: disable-error-code="misc"
# ruff: noqa: N802, N815

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from twisted.runner.procmon import ProcessMonitor

from luggage.run.kernel import kin
from luggage.run.kernel.ending import how
from luggage.run.kernel.private import Private
from luggage.run.life import sequel
from luggage.run.life.births import Births
from luggage.run.life.child import Child
from luggage.run.life.orders import Orders
from luggage.run.life.record import Record
from luggage.run.life.rounds import Rounds
from luggage.run.life.stopping import Stopping
from luggage.run.log.output import Output
from luggage.run.start.inherit import Started
from luggage.run.table.processes import Process


class Monitor(Orders, ProcessMonitor):
    """ncolony's process monitor, with what a first process of a container needs besides.

    `processes` are the table's; others may be added by hand. Those that are `web` serve requests:
    they are stopped before the others, and a crash loop of one ends everything, by `crashed(name,
    status)`. `descriptors`, `started` and `rooms` are as in `Births`. `changed` is called
    whenever a state is another.

    A process has one current life, in `protocols`; `lives` are all that run, and `lingering` those
    that are gone but whose output is open still.
    """

    killTime = 35  # seconds; gunicorn itself gives up on requests after 30

    def __init__(
        self,
        reactor: Any,
        output: Output,
        *,
        processes: Iterable[Process],
        descriptors: Collection[tuple[str, int]],
        crashed: Callable[[str, int], None],
        say: Callable[[str], None],
        started: Iterable[Started] = (),
        rooms: Private | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(reactor)
        self.clock = self._clock
        del self.restart  # Twisted's; here the name is an order's
        self.output = output
        self.say = say
        self.changed: Callable[[], None] = lambda: None
        self.lives: set[Child] = set()
        self.lingering: set[Child] = set()
        self.records: dict[str, Record] = {}
        self.waits: dict[str, Any] = {}
        self.table = {process.name: process for process in processes}
        self.first = frozenset(name for name, process in self.table.items() if process.web)
        self.births = Births(
            self,
            reactor,
            tell=self.first,
            descriptors=descriptors,
            started=started,
            rooms=rooms,
        )
        self.crashed = crashed
        self.wall = wall
        self.closing = False  # nothing new is begun: all is to be stopped in a moment
        self._stopping: Stopping | None = None
        self._rounds = Rounds(self)
        self._awaits: tuple[Callable[[], None], Any] | None = None

    def close(self) -> None:
        """Close what was opened for the children."""
        self.births.close()

    # -- starting

    def startService(self) -> None:
        """Start everything, and whatever is added from now on."""
        super().startService()
        if any(process.beat or process.rhythm for process in self.table.values()):
            self._rounds.start()

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
        if name not in self._processes:
            self.records[name] = Record(name, self.table.get(name), self.wall)
        super().addProcess(name, args, uid, gid, inherited, cwd)

    def removeProcess(self, name: str) -> None:
        """Stop a process, and forget it."""
        super().removeProcess(name)
        self.wait_no_more(name)
        del self.records[name]

    def startProcess(self, name: str) -> None:
        record = self.records.get(name)
        if self.running and record is not None and record.process.rhythm is not None:
            self.enter(record, "scheduled")
        else:
            self.start_now(name)

    def start_now(self, name: str) -> None:
        """Start a process that does not run, however long it would have waited."""
        self.wait_no_more(name)
        if not self.running or name in self.protocols or name not in self._processes:
            return
        record = self.records[name]
        child = self.births.life(name, self._processes[name])
        self.protocols[name] = child
        sequel.watch(self, record, child)
        record.begins("starting" if child.tells else "running")
        self.live(child)  # which may be over already when this returns
        self.changed()

    def live(self, child: Child) -> None:
        """Begin a life: the current one of its process, or one beside that."""
        self.lives.add(child)
        self.births.begin(child)

    def became_ready(self, child: Child) -> None:
        """A process that serves requests does so from now on."""
        if child.ready:
            return
        child.ready = True
        self.say(f"{child.name}: ready after {child.lived:.1f} s")
        if self.protocols.get(child.name) is child and not child.asked:
            self.enter(self.records[child.name], "running")
        if child.on_ready is not None:
            child.on_ready()
        if not child.asked:
            self._waited()

    def has_beaten(self, child: Child) -> None:
        """A life has told that it goes on."""
        record = self.records.get(child.name)
        if record is not None and self.protocols.get(child.name) is child:
            record.last_beat = self.wall()
            if record.state == "starting":
                self.enter(record, "running")

    def when_it_serves(self, call: Callable[[], None], seconds: float) -> None:
        """Call `call` when one is ready, or after `seconds`; none waits longer to be started, be it
        for the end of the life before, which takes no clients any more."""
        self._awaits = call, self.clock.callLater(seconds, self._waited)
        ends = {name for name in self.first if self.is_restarted(name)}
        for name in ends:
            del self.protocols[name]
        for name in ends | (self.first & self.waits.keys()):
            self.start_now(name)

    def _waited(self) -> None:
        if self._awaits is not None:
            (call, limit), self._awaits = self._awaits, None
            if limit.active():
                limit.cancel()
            call()

    # -- ending

    def exited(self, child: Child, code: int | None, number: int | None) -> None:
        """A life is over: tell how, and start another where its process should run."""
        words = child.why + how(code, number)
        told = f"{child.name}: {words} after {child.lived:.1f} s"
        child.over()
        self.lives.discard(child)
        if child.transport is not None:
            self.lingering.add(child)
        record = self.records.get(child.name)
        current = self.protocols.get(child.name) is child
        if current:
            del self.protocols[child.name]
        if current and record is not None:
            record.ends(words)
            sequel.follow(self, record, child, (code, number), told)
        else:
            self.say(told)
        if child.on_exit is not None:
            child.on_exit(words)
        self._advance()

    def enter(self, record: Record, state: str) -> None:
        """A process's state is another from now on."""
        record.enter(state)
        self.changed()

    def ended(self, child: Child) -> None:
        """A process is gone, and everything that held its output as well."""
        self.lingering.discard(child)
        self.births.over(child)
        self._advance()

    # -- stopping

    def stopProcess(self, name: str) -> None:
        """Ask a process to stop; after `killTime` seconds it is killed, with its group."""
        if name not in self._processes:
            raise KeyError(f"there is no process '{name}'")
        if name in self.protocols:
            self.ask(self.protocols[name])

    def ask(self, child: Child) -> None:
        """Ask a life to stop."""
        record = self.records.get(child.name)
        if record is not None and not child.asked and self.protocols.get(child.name) is child:
            self.enter(record, "stopping")
        child.ask(self.killTime)

    def stop(self, stopped: Callable[[], None]) -> None:
        """Stop what serves requests, then all else; then call `stopped`."""
        self.running = 0
        self._rounds.stop()
        for name in list(self.waits):
            self.wait_no_more(name)
        for record in self.records.values():
            if record.state in {"waiting", "scheduled"}:
                self.enter(record, "stopped")
        self._stopping = Stopping(self, self.first, stopped)
        self._stopping.enter()

    def _advance(self) -> None:
        if self._stopping is not None:
            self._stopping.advance()
