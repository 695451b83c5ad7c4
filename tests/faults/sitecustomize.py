"""A test's orders → a process that is killed, or fails, at its n-th change of a file.

Python imports this at its start where the folder is on PYTHONPATH. Each call that changes a file is
a point, before it happens; a write is a second one when half of its bytes are written.

LUGGAGE_FAULT_AT     the point, from 1
LUGGAGE_FAULT_DO     `kill` (the default): kill -9; `fail`: the disk is full;
                     `edit`: an editor saves LUGGAGE_FAULT_FILE
LUGGAGE_FAULT_TRACE  a file that gets the name of each point
LUGGAGE_FAULT_LIMIT  no file grows beyond so many bytes (a full disk that needs no root)
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

CHANGES = (
    *("chmod", "chown", "fchmod", "fchown", "fdatasync", "fsync", "ftruncate", "link", "mkdir"),
    *("mkfifo", "remove", "rename", "replace", "rmdir", "symlink", "truncate", "unlink", "utime"),
)
WRITABLE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
AT = int(os.environ.get("LUGGAGE_FAULT_AT", "0"))
DO = os.environ.get("LUGGAGE_FAULT_DO", "kill")
TRACE = os.environ.get("LUGGAGE_FAULT_TRACE")
# A copy of the process (os.fork) is not what is to fail.
PROCESS = os.getpid()
real_open, real_write = os.open, os.write
state = {"count": 0, "inside": 0}


def point(name: str) -> bool:
    """Count one; True where the order is to be carried out here."""
    if os.getpid() != PROCESS:
        return False
    state["count"] += 1
    if TRACE:
        descriptor = real_open(TRACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        real_write(descriptor, f"{name}\n".encode())
        os.close(descriptor)
    return state["count"] == AT


def act() -> None:
    """Carry it out."""
    if DO == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif DO == "fail":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    elif DO == "edit":
        path = os.environ["LUGGAGE_FAULT_FILE"]
        descriptor = inside(real_open, path, os.O_WRONLY | os.O_APPEND)
        real_write(descriptor, b"# saved by an editor\n")
        os.close(descriptor)


def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, as a point."""

    def changed(*words: Any, **named: Any) -> Any:
        if point(name):
            act()
        return inside(call, *words, **named)

    return changed


def inside(call: Callable[..., Any], *words: Any, **named: Any) -> Any:
    """`call`, which the watch below need not report."""
    state["inside"] += 1
    try:
        return call(*words, **named)
    finally:
        state["inside"] -= 1


def opening(path: Any, flags: int, *words: Any, **named: Any) -> int:
    """os.open: a point where it may change a file."""
    if flags & WRITABLE and path != os.devnull and point("open"):
        act()
    return int(inside(real_open, path, flags, *words, **named))


def writing(descriptor: int, data: Any) -> int:
    """os.write: a point before it, and one half way."""
    if descriptor > 2:
        if point("write"):
            act()
        if point("half a write"):
            real_write(descriptor, bytes(data)[: len(data) // 2])
            act()
            return len(data) // 2
    return real_write(descriptor, data)


def watch(event: str, words: tuple[Any, ...]) -> None:
    """End the process where a file is changed at no point: the test would be blind."""
    changes = event in ("os.rename", "os.remove", "os.link", "os.truncate", "os.mkdir")
    if event == "open":
        path, _, flags = words
        changes = not isinstance(path, int) and path != os.devnull and bool(flags & WRITABLE)
    if changes and not state["inside"] and words[0] != TRACE:
        real_write(2, f"not watched: {event} {words}\n".encode())
        os._exit(97)


if AT or TRACE:
    for change in CHANGES:
        setattr(os, change, watched(change, getattr(os, change)))
    os.open, os.write = opening, writing
    sys.addaudithook(watch)
if "LUGGAGE_FAULT_LIMIT" in os.environ:
    limit = int(os.environ["LUGGAGE_FAULT_LIMIT"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
