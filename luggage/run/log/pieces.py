"""A record of many bytes → writes to a pipe that others write to as well, none within another's.

A pipe takes what is at most PIPE_BUF at once, or not yet; of more it may take a part, and another
process's line after that (pipe(7)).
"""

from __future__ import annotations

import contextlib
import fcntl
import select
import time
from collections.abc import Iterator

from luggage.run.log.layout import MORE
from luggage.web.heard import held

WHOLE = select.PIPE_BUF  # bytes
ROOM = 1 << 18  # bytes that a pipe is to hold which several processes log to
PATIENCE = 0.2  # seconds until a long record is written whatever room there is: no longer than
# a web worker may be without a sign of life
_LOOK = 0.002


def lines(text: bytes) -> Iterator[bytes]:
    """Writes of whole lines, each of which goes at once; a longer line goes on below, set in."""
    more = MORE.encode()
    write = b""
    for line in text.removesuffix(b"\n").split(b"\n"):
        for piece in _cut(line + b"\n", more):
            if write and len(write) + len(piece) > WHOLE:
                yield write
                write = b""
            write += piece
    yield write


def _cut(line: bytes, more: bytes) -> Iterator[bytes]:
    while len(line) > WHOLE:
        end = WHOLE - 1
        while line[end] & 0xC0 == 0x80 and end > WHOLE - 5:  # inside a UTF-8 character
            end -= 1
        yield line[:end] + b"\n"
        line = more + line[end:]
    yield line


def widen(pipe: int) -> None:
    """Let the pipe hold more, where it is one."""
    with contextlib.suppress(OSError):
        if _capacity(pipe) < ROOM:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, ROOM)


def await_room(pipe: int, size: int) -> None:
    """Wait until `size` bytes and a lot more would find room in `pipe`: then they go at once.

    For PATIENCE at most, and not where it is no pipe.
    """
    with contextlib.suppress(OSError):
        most = max(0, min(_capacity(pipe) // 2, _capacity(pipe) - size))
        end = time.monotonic() + PATIENCE
        while held(pipe) > most and time.monotonic() < end:
            time.sleep(_LOOK)


def _capacity(pipe: int) -> int:
    return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
