"""The web server's socket, while an operator has stopped that → a short 503 for each who comes."""

# Twisted's untyped classes are extended here, and its names are kept.
# mypy: disable-error-code="misc"
# ruff: noqa: N802

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import interfaces, protocol
from zope.interface import implementer

MOST = 64  # connections at once: the oldest gives way to a new one
FIRST = 1.0  # seconds that a client has to send something
LINGER = 1.0  # seconds that it has to take the answer, and to close its side


class Closed:
    """Answers whoever comes to `listener`, the socket of the web server `name`, while that is shut;
    where there is no such socket, it does nothing.

    Else clients would wait in the kernel's queue, and the next life would run what they had asked
    for long after they gave up. It accepts from a socket that others have as well, and never shuts
    it down.
    """

    def __init__(
        self, reactor: Any, listener: socket.socket | None, name: str, say: Callable[[str], None]
    ) -> None:
        self._reactor = reactor
        self._listener = listener
        self._name = name
        self._say = say
        self._guests: list[_Guest] = []  # oldest first
        self._port: Any = None
        self._over = False

    def shut(self, wanted: bool) -> None:
        """From now on the web server is shut, or it is not; before it starts, nobody is accepted
        here any more."""
        if self._listener is None or self._over:
            return
        if wanted and self._port is None:
            factory = protocol.Factory.forProtocol(self._guest)
            factory.noisy = False
            try:
                self._listener.setblocking(False)
                self._port = self._reactor.adoptStreamPort(
                    self._listener.fileno(), self._listener.family, factory
                )
            except OSError as error:
                self._say(f"error: {self._name}: stopped, and nobody can be told: {error}")
            else:
                self._say(f"{self._name}: stopped, and who comes gets 503 until it is started")
        elif not wanted and self._port is not None:
            self._port.stopListening()
            self._port = None

    def close(self) -> None:
        """Accept nobody any more, whatever comes."""
        self.shut(False)
        self._over = True

    def _guest(self) -> _Guest:
        while len(self._guests) >= MOST:
            self._guests.pop(0).transport.abortConnection()
        return _Guest(self._reactor, self._guests, _answer(self._name))


def _answer(name: str) -> bytes:
    body = f"the web server is stopped: ctl start {name}\n".encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Cache-Control: no-store\r\nRetry-After: 5\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@implementer(interfaces.IHalfCloseableProtocol)
class _Guest(protocol.Protocol):
    """One client: what it sends is thrown away, for as long as it takes to read its answer."""

    def __init__(self, reactor: Any, guests: list[_Guest], answer: bytes) -> None:
        self._reactor = reactor
        self._guests = guests
        self._answer = answer
        self._call: Any = None

    def connectionMade(self) -> None:
        self._guests.append(self)
        self._call = self._reactor.callLater(FIRST, self._tell)

    def dataReceived(self, _data: bytes) -> None:
        self._tell()

    def readConnectionLost(self) -> None:
        self._tell()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Any = None) -> None:
        if self in self._guests:
            self._guests.remove(self)
        if self._call.active():
            self._call.cancel()

    def _tell(self) -> None:
        if not self._answer:
            return
        self.transport.write(self._answer)
        self._answer = b""
        # As RFC 9112, section 9.6 has it: to close at once could take the answer back.
        self.transport.loseWriteConnection()
        if self._call.active():
            self._call.cancel()
        self._call = self._reactor.callLater(LINGER, self.transport.loseConnection)
