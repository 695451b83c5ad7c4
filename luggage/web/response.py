"""gunicorn's response, whose head and first part of a body leave together; and its date.

gunicorn's own sends the head by itself: a call of the system more for each answer, a packet more,
and one more moment at which another thread takes the interpreter's lock.
"""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi

JOINED = 65_536  # bytes of a part that is copied behind the head: a longer one is sent by itself

_http_date = util.http_date


class _Held:
    """In the place of a socket: keeps what is sent."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.parts.append(data)


class Response(wsgi.Response):
    """What `wsgi.create` makes for a request over HTTP/1."""

    sock: Any
    headers_sent: bool
    sent: int

    def write(self, arg: Any) -> None:
        if self.headers_sent or not isinstance(arg, bytes) or len(arg) > JOINED:
            super().write(arg)
            return
        held, sock = _Held(), self.sock
        self.sock = held
        try:
            super().write(arg)
            both = b"".join(held.parts)
        except BaseException:
            self.headers_sent, self.sent = False, 0  # nothing has left: the error may be answered
            raise
        finally:
            self.sock = sock
        sock.sendall(both)


class Date:
    """The time as the header `Date` has it (RFC 9110, section 5.6.7), made once a second.

    `clock` and `timestamp` are seconds since 1970.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        make: Callable[[float], str] = _http_date,
    ) -> None:
        self._clock = clock
        self._make = make
        self._last: tuple[int | None, str] = None, ""

    def __call__(self, timestamp: float | None = None) -> str:
        """Of now, where there is no `timestamp`."""
        if timestamp is not None:
            return self._make(timestamp)
        second, told = self._last
        if second != (now := int(self._clock())):
            told = self._make(now)
            self._last = now, told
        return told


def install() -> None:
    """From now on, in this process."""
    wsgi.Response = Response
    util.http_date = Date()
