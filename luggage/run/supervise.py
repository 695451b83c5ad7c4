"""Processes + environment → a supervised system, until it is told to stop; its exit status."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ncolony import ctllib, directory_monitor
from twisted.internet import reactor as _reactor
from twisted.internet.task import LoopingCall
from twisted.logger import eventAsText, globalLogBeginner

from luggage.board import VARIABLE as BOARD
from luggage.board import Board
from luggage.crypto.sources import DESCRIPTOR as KEY
from luggage.errors import LuggageError
from luggage.run import settings
from luggage.run.kernel import kin
from luggage.run.kernel.listen import VARIABLE as LISTEN
from luggage.run.kernel.notify import Notify
from luggage.run.kernel.orphans import Orphans
from luggage.run.kernel.private import Private
from luggage.run.life.monitor import Monitor
from luggage.run.life.receiver import Tolerant, guarded
from luggage.run.life.reload import Reload
from luggage.run.log.output import Output
from luggage.run.log.pressure import Pressure
from luggage.run.log.writer import Writer
from luggage.run.operate.closed import Closed
from luggage.run.operate.control import Control
from luggage.run.operate.leaving import Leaving
from luggage.run.operate.operating import Operating
from luggage.run.operate.signals import Signals
from luggage.run.operate.system import Overall
from luggage.run.pages.management import Management
from luggage.run.start import inherit
from luggage.run.table.processes import Process

CHECK = 0.5  # seconds between looks at the state folder
REAP = 1.0  # seconds between looks for dead orphans

reactor: Any = _reactor


class Supervisor:
    """Runs `processes` and stops them in order.

    `command` gives the argument list of a process; `folder` is the state folder; `board` is
    what all processes see; `listeners` are the sockets to serve, by command, and `management` that
    of the pages about all this. `started` are first lives that run already; `version` is what pages
    tell. Signals that wait, blocked, are heard when everything is started.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        *,
        command: Callable[[Process], list[str]],
        environ: Mapping[str, str],
        folder: Path,
        board: Board,
        listeners: Mapping[str, socket.socket],
        management: socket.socket | None,
        write: Writer,
        started: Sequence[inherit.Started] = (),
        rooms: Private | None = None,
        version: Mapping[str, object],
    ) -> None:
        reactor.seconds = time.monotonic  # a clock that is set must not move what is to come
        self.board = board
        self._crashed: str | None = None
        self._looks: list[LoopingCall] = []
        self._control: Control | None = None
        self._pages = management
        self._management: Management | None = None
        server = settings.read(settings.Server, environ)
        self.output = Output(
            write,
            [process.name for process in processes],
            server.log_format,
            missed=write.missed,
            hold=Pressure(reactor, write).hold,
        )
        descriptors = [(LISTEN, listener.fileno()) for listener in listeners.values()]
        descriptors.append((BOARD, board.fileno()))
        if environ.get(KEY, "").isdigit():
            descriptors.append((KEY, int(environ[KEY])))
        self.monitor = Monitor(
            reactor,
            self.output,
            processes=processes,
            descriptors=descriptors,
            crashed=self._crash,
            say=self.say,
            started=started,
            rooms=rooms,
        )
        self.system = Overall(
            monitor=self.monitor,
            board=board,
            folder=folder,
            version=version,
            lines=self.output.last,
            web=self.monitor.first,
        )
        self.notify = Notify(environ)
        self.reload = Reload(self.monitor, begun=self.notify.reloading, over=self.notify.reloaded)
        self.monitor.changed = self._changed
        web = [(it.name, listeners.get(it.command)) for it in processes if it.web]
        name, listener = next(iter(web), ("", None))
        self._closed = Closed(reactor, listener, name, self.say)
        self._leaving = Leaving(
            reactor,
            self.monitor,
            listener,
            drain=server.drain_delay,
            told=self._told,
            begun=self._look_no_more,
            stopped=self._stopped,
        )
        self._signals = Signals(
            reactor, leave=self._leaving.leave, reload=self._reload, say=self.say
        )
        self._places = ctllib.Places(str(folder / "config"), str(folder / "messages"))
        self._receiver = Tolerant(self.monitor, environ, self.say)
        for process in processes:
            inherited = inherit.names(process, environ)
            listener = listeners.get(process.command)
            _write(self._places, process, command(process), inherited, listener)

    def run(self) -> int:
        """Start everything; when everything has stopped, return the exit status (0: a signal)."""
        kin.adopt_orphans()
        globalLogBeginner.beginLoggingTo(
            [self._tell_trouble], discardBuffer=True, redirectStandardIO=False
        )
        reactor.callWhenRunning(self._start)
        reactor.run()
        if self._crashed is not None:
            self.say(f"{self._crashed}: its last lines were:")
            self.output.again(self._crashed)
        return self._leaving.status

    def say(self, text: str) -> None:
        """One of luggage's own lines."""
        self.output.say(text)

    def _start(self) -> None:
        self._signals.listen()
        self._listen()
        self.monitor.startService()
        self._look(
            CHECK, directory_monitor.checker(self._places.config, self._receiver), "configuration"
        )
        self._look(
            CHECK, directory_monitor.messages(self._places.messages, self._receiver), "messages"
        )
        self._look(REAP, Orphans(reactor), "orphans")
        if self.notify.interval is not None:
            LoopingCall(self.notify.alive).start(self.notify.interval)

    def _listen(self) -> None:
        operating = Operating(
            reactor, self.system, orders=self.monitor, reload=self.reload, say=self.say
        )
        try:
            self._control = Control(reactor, self.system.folder, operating)
        except OSError as problem:
            self.say(f"error: no control socket, so that ctl finds nothing: {problem}")
        self._management = Management(reactor, self._pages, self.system, say=self.say)

    def _changed(self) -> None:
        self.system.publish()
        self._closed.shut(self.monitor.is_shut())
        self.notify.status(*self.system.ready())

    def _look(self, seconds: float, check: Callable[[], None], what: str) -> None:
        look = LoopingCall(guarded(check, what, self.say))
        look.start(seconds)
        if what != "orphans":
            self._looks.append(look)

    def _reload(self, why: str) -> None:
        web = [it.name for it in self.system.states() if it.kind == "web"]
        if self._leaving or not web:
            self.say(f"{why}: {'stopping already' if self._leaving else 'nothing to reload'}")
            return
        self.say(f"{why}: reloading {web[0]}")
        try:
            self.reload(web[0], lambda _well, _told: None)
        except LuggageError as error:
            self.say(f"{why}: {error.message}")

    def _crash(self, name: str, status: int) -> None:
        self._crashed = name
        self._leaving.leave(f"{name} does not run", status)

    def _told(self, why: str) -> None:
        self.board.stopping = True
        self.monitor.closing = True
        self.notify.stopping(why)

    def _look_no_more(self) -> None:
        for look in self._looks:
            look.stop()
        self._closed.close()

    def _stopped(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._management is not None:
            self._management.close()
        self.notify.close()
        reactor.stop()

    def _tell_trouble(self, event: dict[str, Any]) -> None:
        text = trouble(event)
        if text:
            self.output.say(text)


def trouble(event: dict[str, Any]) -> str:
    """What Twisted has logged of something that went wrong, with its level in front; else ""."""
    level = {"warn": "warning", "error": "error", "critical": "error"}.get(event["log_level"].name)
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    return f"{level}: {text}" if level else ""


def _write(
    places: Any,
    process: Process,
    command: list[str],
    inherited: list[str],
    listener: socket.socket | None,
) -> None:
    """Put `process` into ncolony's configuration: names of variables, without their values.

    Raises LuggageError where there is no room for it.
    """
    own = [f"{LISTEN}={listener.fileno()}"] if listener else []
    before = os.umask(0o177)
    try:
        ctllib.add(places, process.name, command[0], command[1:], env=own, env_inherit=inherited)
    except OSError as error:
        raise LuggageError(
            f"state folder {places.config}: {os.strerror(error.errno or 0).lower()}",
            "make room there, or name another folder in LUGGAGE_RUN",
        ) from error
    finally:
        os.umask(before)
