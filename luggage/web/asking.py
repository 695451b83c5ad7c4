"""A request for a management page in the app's own port → the supervisor's answer to it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "LUGGAGE_MANAGEMENT"  # where the supervisor's socket is
SOCKET = "management"
PATIENCE = 5.0  # seconds
LONGEST = 64 << 20  # bytes


def ask(
    environ: Mapping[str, str], method: str, target: str, body: bytes = b""
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status, headers and body that the supervisor answers with; raises OSError or ValueError
    where it does not."""
    path = environ.get(VARIABLE)
    if not path:
        raise ValueError("no supervisor")
    asked = f"{method} {target} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        _connect(connection, Path(path))
        connection.sendall(asked.encode("latin-1") + body)
        told = bytearray()
        while chunk := connection.recv(65_536):
            told += chunk
            if len(told) > LONGEST:
                raise ValueError("too long")
    head, end, content = bytes(told).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not end or not first.startswith("HTTP/1."):
        raise ValueError("not HTTP")
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    # What is said of the connection is not for the app's client.
    return (
        first.partition(" ")[2],
        [it for it in pairs if it[0].lower() != "connection"],
        content,
    )


def _connect(connection: socket.socket, path: Path) -> None:
    if len(os.fsencode(path)) < 108:  # the kernel takes no more
        connection.connect(str(path))
        return
    number = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{number}/{path.name}")
    finally:
        os.close(number)
