"""Bytes of HTTP → a request for a management page; and its answer → bytes."""

# Twisted's untyped classes are extended here, and its names are kept.
# mypy: disable-error-code="misc"
# ruff: noqa: N802, N815

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.web import http

from luggage.run.pages.answers import BODY, HEADERS, Answer, Asked


class _Request(http.Request):
    def __init__(self, channel: Any, *_: object) -> None:
        super().__init__(channel, parsePOSTFormSubmission=False)

    def gotLength(self, length: int | None) -> None:
        super().gotLength(0)  # in memory, however long it says that it is
        if length is None or length > BODY:
            self.clientproto = b"HTTP/1.1"
            self.channel.rawDataReceived = lambda _: None
            self._send(Answer(413, b"too large\n"))

    def process(self) -> None:
        headers = {
            name.decode("latin-1").lower(): b", ".join(values).decode("latin-1")
            for name, values in self.requestHeaders.getAllRawHeaders()
        }
        asked = Asked(
            self.method.decode("latin-1"),
            self.uri.decode("latin-1"),
            headers,
            self.content.read(),
            self.channel.trusted,
        )
        self._send(self.channel.answers(asked))

    def _send(self, answer: Answer) -> None:
        self.setResponseCode(answer.status)
        told = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body))}
        for name, value in {**HEADERS, **answer.headers, **told, "Connection": "close"}.items():
            self.setHeader(name, value)
        self.write(answer.body)
        self.finish()


class Channel(http.HTTPChannel):
    """One connection, for one request, and not for longer than `seconds`."""

    requestFactory = _Request
    maxHeaders = 100
    timeOut = None  # one for all of it is enough

    def __init__(
        self,
        reactor: Any,
        answers: Callable[[Asked], Answer],
        connections: list[Any],
        seconds: float,
        trusted: bool,
    ) -> None:
        super().__init__()
        self.factory = None  # which would write a log
        self.answers = answers
        self.trusted = trusted
        self._connections = connections
        self._reactor = reactor
        self._seconds = seconds
        self._end: Any = None

    def connectionMade(self) -> None:
        self._connections.append(self)
        self._end = self._reactor.callLater(self._seconds, self.transport.abortConnection)
        super().connectionMade()

    def connectionLost(self, reason: Any) -> None:
        if self in self._connections:
            self._connections.remove(self)
        if self._end is not None and self._end.active():
            self._end.cancel()
        super().connectionLost(reason)

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        return False
