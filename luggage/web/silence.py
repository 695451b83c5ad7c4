"""A client that neither sends nor takes anything → how long that is borne."""

from __future__ import annotations

import select
import socket
import struct

SILENCE = 30  # seconds


def limit(connection: socket.socket) -> None:
    """Let the kernel give up on a client that is silent for SILENCE seconds."""
    value = struct.pack("ll", SILENCE, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


def ends(connection: socket.socket, seconds: float) -> bool:
    """Whether there is something to read within `seconds`. It takes no descriptor to know that."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
