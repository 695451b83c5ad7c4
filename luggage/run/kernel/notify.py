"""What systemd asks for in the environment → datagrams that tell it how the service is.

The protocol is that of sd_notify(3): lines of `NAME=value` to a socket of the system's.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping

SOCKET = "NOTIFY_SOCKET"
INTERVAL = "WATCHDOG_USEC"
PROCESS = "WATCHDOG_PID"
VARIABLES = frozenset({SOCKET, INTERVAL, PROCESS})  # for the first process of a service alone
AGAIN = 1.0  # seconds until what could not be told is told again
MOST = 32  # datagrams that wait for that
_FULL = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)

Later = Callable[[float, Callable[[], None]], object]


class Notify:
    """Tells the system's manager, where `environ` names one, and else nobody. It never raises.

    The manager's queue may be full, of other services' datagrams: what is told but once waits then,
    in its order, and of states the latest alone. `later` calls after so many seconds; by default it
    is the reactor's.
    """

    def __init__(self, environ: Mapping[str, str], later: Later | None = None) -> None:
        self._socket: socket.socket | None = None
        self._later = later
        self._waiting: deque[list[str]] = deque(maxlen=MOST)
        self._tries = False  # whether it will be tried again
        self._status = ""
        self._is_ready = False
        self._stops = False
        name = environ.get(SOCKET, "")
        if name.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._name = "\0" + name[1:] if name.startswith("@") else name
            self.interval = interval(environ)
        else:
            self.interval = None

    def status(self, fit: bool, text: str) -> None:
        """`text` is how it is; the first time that it is `fit`, the service has started."""
        lines = [f"STATUS={_line(text)}"] if text != self._status else []
        if fit and not self._is_ready and not self._stops:
            self._is_ready = True
            lines.insert(0, "READY=1")
        self._status = text
        self._send(*lines)

    def reloading(self) -> None:
        """A reload begins; it ends with `reloaded`, however it ends."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """A reload has ended, and the service serves, unless it stops."""
        if not self._stops:
            self._send("READY=1")

    def stopping(self, text: str) -> None:
        """From now on it stops."""
        self._stops = True
        self._status = text
        self._send("STOPPING=1", f"STATUS={_line(text)}")

    def alive(self) -> None:
        """A sign of life, wanted every `interval` seconds."""
        self._empty()
        self._tell(["WATCHDOG=1"])

    def close(self) -> None:
        """Tell nothing any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if self._socket is None or not lines:
            return
        if any(_is_status(line) for line in lines):
            older = [[line for line in it if not _is_status(line)] for it in self._waiting]
            self._waiting = deque(filter(None, older), MOST)
        self._waiting.append(list(lines))
        self._empty()

    def _empty(self) -> None:
        while self._waiting and self._tell(self._waiting[0]):
            self._waiting.popleft()
        if self._waiting and not self._tries:
            self._tries = True
            self._call_later(AGAIN, self._again)

    def _again(self) -> None:
        self._tries = False
        self._empty()

    def _tell(self, lines: list[str]) -> bool:
        """Whether there is no more to be done for these."""
        try:
            if self._socket is not None:
                self._socket.sendto("\n".join(lines).encode("utf-8", "replace"), self._name)
        except OSError as error:
            return error.errno not in _FULL
        return True

    def _call_later(self, seconds: float, call: Callable[[], None]) -> None:
        if self._later is None:
            from twisted.internet import reactor  # noqa: PLC0415 - it is there already, where needed

            self._later = reactor.callLater
        self._later(seconds, call)


def _is_status(line: str) -> bool:
    return line.startswith("STATUS=")


def interval(environ: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life: half of what is allowed; None where none is wanted."""
    text = environ.get(INTERVAL, "")
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        return None
    if environ.get(PROCESS, str(os.getpid())) != str(os.getpid()):
        return None
    return int(text) / 2e6


def _line(text: str) -> str:
    return text.replace("\n", "; ")
