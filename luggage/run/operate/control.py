"""A socket in the state folder → orders, and what is told of each (caller.py has the protocol)."""

# Twisted's untyped classes are extended here, and its names are kept.
# mypy: disable-error-code="misc"
# ruff: noqa: N802

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from twisted.internet import protocol
from twisted.internet.error import CannotListenError
from twisted.protocols import basic

from luggage.errors import LuggageError
from luggage.run.operate import caller

MOST = 32  # connections at once: the oldest that has not asked yet gives way to a new one
LINE = 65_536  # bytes of a request
FIRST = 10.0  # seconds that a caller has for its request
ALIVE = 1.0  # seconds between signs of life
_PEER = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


class Reply(Protocol):
    """Where an order's outcome goes. `end` or `fail` comes last, and once."""

    @property
    def waits(self) -> bool:
        """Whether somebody is there who wants to know."""

    def say(self, text: str) -> None:
        """A line for whoever waits."""

    def end(self, result: object = None) -> None:
        """It is done."""

    def fail(self, error: LuggageError) -> None:
        """It is not done."""


Obey = Callable[[str, list[str], Reply], object]


class Control:
    """The socket `control` in `folder`; `obey(command, names, reply)` gets what is asked there.

    Only this user and root are heard. It raises OSError where there can be no socket.
    """

    def __init__(self, reactor: Any, folder: Path, obey: Obey) -> None:
        self._folder = folder
        self._callers: list[_Caller] = []
        factory = protocol.Factory.forProtocol(lambda: _Caller(reactor, self._callers, obey))
        with contextlib.suppress(FileNotFoundError):
            (folder / caller.SOCKET).unlink()
        before = os.umask(0o177)
        try:
            with caller.short(str(folder)) as path:
                self._port = reactor.listenUNIX(path, factory, backlog=MOST, mode=0o600)
        except CannotListenError as error:
            raise error.socketError from error
        finally:
            os.umask(before)

    def close(self) -> None:
        """Hear nobody any more; who still waits is let go."""
        self._port.stopListening()
        for it in list(self._callers):
            it.transport.abortConnection()
        with contextlib.suppress(OSError):
            (self._folder / caller.SOCKET).unlink()


class _Caller(basic.LineOnlyReceiver):
    """One caller: one request, and what is told until it is done. It is a Reply."""

    delimiter = b"\n"
    MAX_LENGTH = LINE

    def __init__(self, reactor: Any, callers: list[_Caller], obey: Obey) -> None:
        self._reactor = reactor
        self._callers = callers
        self._obey = obey
        self._asked = False
        self._call: Any = None

    def connectionMade(self) -> None:
        peer = self.transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        if _PEER.unpack(peer)[1] not in (0, os.getuid()) or not self._has_room():
            self.transport.abortConnection()
            return
        self._callers.append(self)
        self._call = self._reactor.callLater(FIRST, self.transport.abortConnection)

    def connectionLost(self, reason: Any = None) -> None:
        if self in self._callers:
            self._callers.remove(self)
        self._cancel()

    def _has_room(self) -> bool:
        """Whether there is room for one more, or is now: whoever has asked has his answer."""
        if len(self._callers) < MOST:
            return True
        silent = next((it for it in self._callers if not it._asked), None)
        if silent is None:
            return False
        self._callers.remove(silent)
        silent.transport.abortConnection()
        return True

    def lineReceived(self, line: bytes) -> None:
        if self._asked:
            return
        self._asked = True
        self._cancel()
        try:
            command, names = _read(line)
            self._breathe()
            self._obey(command, names, self)
        except LuggageError as error:
            self.fail(error)

    @property
    def waits(self) -> bool:
        return self in self._callers

    def say(self, text: str) -> None:
        self._send({"say": text})

    def end(self, result: object = None) -> None:
        self._last({"status": 0, "result": result})

    def fail(self, error: LuggageError) -> None:
        self._last({"status": 1, "result": {"error": error.message, "hint": error.hint}})

    def _last(self, answer: dict[str, object]) -> None:
        self._cancel()
        self._send(answer)
        self.transport.loseConnection()

    def _breathe(self) -> None:
        self._send({})
        self._call = self._reactor.callLater(ALIVE, self._breathe)

    def _cancel(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _send(self, answer: dict[str, object]) -> None:
        if self.waits:
            self.sendLine(json.dumps(answer).encode())


def _read(line: bytes) -> tuple[str, list[str]]:
    try:
        told = json.loads(line)
        command, names = told["command"], told.get("names", [])
        if not isinstance(command, str) or not isinstance(names, list):
            raise TypeError
        if not all(isinstance(name, str) for name in names):
            raise TypeError
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise LuggageError(
            "control: not a request", 'such as {"command": "restart", "names": ["loop"]}'
        ) from None
    return command, names
