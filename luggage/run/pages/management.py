"""A System → its management pages, over HTTP, on a port and on a socket in the state folder."""

# Twisted's untyped classes are extended here, and its names are kept.
# mypy: disable-error-code="misc"
# ruff: noqa: N802

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from twisted.internet import protocol
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall

from luggage.run.kernel import listen
from luggage.run.operate import caller
from luggage.run.operate.system import System
from luggage.run.pages.answers import Answers
from luggage.run.pages.exposition import Exposition
from luggage.run.start import metered
from luggage.web.asking import SOCKET

MOST = 32  # connections at once, of each kind: the oldest gives way to a new one
ALL = 10.0  # seconds that a connection lasts at most
TIDY = 10.0  # seconds between looks for files of dead processes


class Management:
    """Answers on `port`, a bound socket, where there is one, and on the socket SOCKET in the state
    folder, for the app's own processes."""

    def __init__(
        self,
        reactor: Any,
        port: socket.socket | None,
        system: System,
        *,
        names: Collection[str] = (),
        say: Callable[[str], None],
    ) -> None:
        self._path = system.folder / SOCKET
        exposition = Exposition(system.folder / metered.PART, say)
        names = {socket.gethostname().lower(), *(name.lower() for name in names)}
        answers = Answers(system, exposition, names=names, say=say)
        self._ports: list[Any] = []
        public, private = (_Factory(reactor, answers, trusted=it) for it in (False, True))
        self._factories = public, private
        if port is not None:
            try:
                self._ports.append(_public(reactor, port, public))
            except OSError as error:  # two of them were bound before one listened
                where = listen.address(*port.getsockname()[:2])
                remedy = "set MANAGEMENT_PORT to a free one, or to 0"
                say(f"no management port after all: {where}: {error.strerror}; {remedy}")
        try:
            self._ports.append(_private(reactor, system.folder, private))
        except (CannotListenError, OSError) as error:
            say(f"{SOCKET}: no socket in {system.folder}: {error}")
        self._tidy = LoopingCall(exposition.tidy)
        self._tidy.clock = reactor
        self._tidy.start(TIDY, now=False)

    def close(self) -> None:
        """Answer nobody any more."""
        self._tidy.stop()
        for port in self._ports:
            port.stopListening()
        for factory in self._factories:
            for connection in list(factory.connections):
                connection.transport.abortConnection()
        with contextlib.suppress(OSError):
            self._path.unlink()


class _Factory(protocol.Factory):
    """Imports what speaks HTTP when the first client is there: many a system has none."""

    noisy = False

    def __init__(self, reactor: Any, answers: Answers, *, trusted: bool) -> None:
        self.connections: list[Any] = []
        self._reactor = reactor
        self._answers = answers
        self._trusted = trusted

    def buildProtocol(self, _address: object) -> Any:
        from luggage.run.pages.channel import Channel  # noqa: PLC0415

        while len(self.connections) >= MOST:
            self.connections.pop(0).transport.abortConnection()
        return Channel(self._reactor, self._answers, self.connections, ALL, self._trusted)


def _public(reactor: Any, port: socket.socket, factory: _Factory) -> Any:
    port.listen(MOST)
    port.setblocking(False)
    return reactor.adoptStreamPort(port.fileno(), port.family, factory)


def _private(reactor: Any, folder: Path, factory: _Factory) -> Any:
    """A socket in `folder` that listens to this user alone."""
    with contextlib.suppress(FileNotFoundError):
        (folder / SOCKET).unlink()
    before = os.umask(0o177)
    try:
        with caller.short(str(folder), SOCKET) as path:
            return reactor.listenUNIX(path, factory, backlog=MOST, mode=0o600)
    finally:
        os.umask(before)
