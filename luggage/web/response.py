"""gunicorn's response, whose head and first part of a body leave together; its date, and errors.

gunicorn's own sends the head by itself: a call of the system more for each answer, a packet more,
and one more moment at which another thread takes the interpreter's lock.
"""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi

from luggage.web import request_id
from luggage.web.job import CURRENT
from luggage.web.silence import SILENCE

JOINED = 65_536  # bytes of a part that is copied behind the head: a longer one is sent by itself

_http_date = util.http_date
_write_error = util.write_error


class _Held:
    """In the place of a socket: keeps what is sent."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def gettimeout(self) -> float:
        return 0.0

    def sendall(self, data: bytes) -> None:
        self.parts.append(data)


class Response(wsgi.Response):
    """What `wsgi.create` makes for a request over HTTP/1."""

    sock: Any
    headers_sent: bool
    sent: int
    response_length: int | None

    def write(self, arg: Any) -> None:
        if not isinstance(arg, bytes):  # gunicorn's own has sent the head by then
            raise TypeError(f"{arg!r} is not a byte")
        if self.headers_sent or len(arg) > JOINED:
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

    def sendfile(self, respiter: Any) -> bool:
        """A client that takes nothing of a file is borne as long as any other (silence.py): what
        the kernel gives up on, Python's own `sendfile` would wait for without an end."""
        self.sock.settimeout(SILENCE)
        try:
            done = bool(super().sendfile(respiter))
        finally:
            self.sock.settimeout(None)
        if done and not self._omits_body:
            self.sent += self._left(respiter.filelike)
        return done

    def _left(self, file: Any) -> int:
        """The bytes of a file that were sent: its offset is what it was before."""
        number = file.fileno()
        there = os.fstat(number).st_size - os.lseek(number, 0, os.SEEK_CUR)
        return min(there, there if self.response_length is None else self.response_length)

    def close(self) -> None:
        """After less than the head has told, the next answer would be taken for the rest."""
        super().close()
        told = self.response_length
        if told is not None and self.sent < told and not self._omits_body:
            self.force_close()


def write_error(sock: Any, status: int, reason: str, text: str) -> None:
    """Answer with an error as gunicorn does, with the date, and the request's id, where it has one;
    and without a body where it asks for none."""
    held = _Held()
    _write_error(held, status, reason, text)
    head, _, body = b"".join(held.parts).partition(b"\r\n\r\n")
    lines = [head.decode("latin-1"), f"Date: {util.http_date()}"]
    found = request_id.current()
    if found:
        lines.append(f"{request_id.HEADER}: {found}")
    job = CURRENT.get()
    if job is not None and job.method == "HEAD":
        body = b""
    told = "".join(f"{line}\r\n" for line in (*lines, ""))
    util.write_nonblock(sock, told.encode("latin-1") + body)


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
    util.write_error = write_error
