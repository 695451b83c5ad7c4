"""What systemd asks for in the environment → datagrams that tell it how the service is.

The protocol is that of sd_notify(3): lines of `NAME=value` to a socket of the system's.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping

SOCKET = "NOTIFY_SOCKET"
INTERVAL = "WATCHDOG_USEC"
PROCESS = "WATCHDOG_PID"
VARIABLES = frozenset({SOCKET, INTERVAL, PROCESS})  # for the first process of a service alone


class Notify:
    """Tells the system's manager, where `environ` names one, and else nobody. It never raises."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._socket: socket.socket | None = None
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
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Tell nothing any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if self._socket is not None and lines:
            with contextlib.suppress(OSError):
                self._socket.sendto("\n".join(lines).encode("utf-8", "replace"), self._name)


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
