"""gunicorn's response; its head and the first part of its body leave together.

gunicorn's own sends the head by itself: a call of the system more for each answer, a packet more,
and one more moment at which another thread takes the interpreter's lock.
"""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import time
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi

JOINED = 65_536  # bytes of a part that is copied behind the head: a longer one is sent by itself

_made = util.http_date


class _Held:
    """In the place of a socket: keeps what is sent."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.parts.append(data)


class Response(wsgi.Response):
    """What `wsgi.create` makes for a request over HTTP/1."""

    sock: Any

    def write(self, arg: Any) -> None:
        if self.headers_sent or not isinstance(arg, bytes) or len(arg) > JOINED:
            super().write(arg)
            return
        held, sock = _Held(), self.sock
        self.sock = held
        try:
            super().write(arg)
        finally:
            self.sock = sock
        sock.sendall(b"".join(held.parts))


class Date:
    """The time as the header `Date` has it, made once a second."""

    def __init__(self) -> None:
        self._last = 0, ""

    def __call__(self, timestamp: float | None = None) -> str:
        """`timestamp` in seconds since 1970; now where there is none."""
        if timestamp is not None:
            return str(_made(timestamp))
        second, told = self._last
        if second != (now := int(time.time())):
            told = str(_made(now))
            self._last = now, told
        return told


def install() -> None:
    """From now on, in this process."""
    wsgi.Response = Response
    util.http_date = Date()
