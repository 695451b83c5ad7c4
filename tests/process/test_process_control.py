"""Whoever comes to the control socket of a real supervisor without a request that is one."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

from operated import ctl
from running import Made, started

NO_REQUESTS = [
    b"\xff\xfe",
    b"null",
    b"[" * 30_000,
    b"9" * 10_000,
    b'{"command": ["status"]}',
    b'{"command": "status", "names": "gunicorn"}',
    b'{"command": "restart", "names": ["\\ud800"]}',
    b'{"command": "log-level", "names": ["secret\\u0000"]}',
    b'{"command": "\\ud800"}',
    b'{"names": []}',
    b"",
]


def client(made: Made) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(Path(made.folder, "run", "luggage", "control")))
    connection.settimeout(20)  # with one, it would not wait for room in the queue
    return connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side is gone."""
    told = b""
    try:
        while more := connection.recv(65536):
            told += more
    except ConnectionResetError:
        pass
    return told


def test_what_is_no_request_disturbs_nobody(made: Made) -> None:
    """It is refused, or ended: silence, floods, half a request; and the next one is answered."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        with client(made) as silent:
            for request in NO_REQUESTS:
                with client(made) as connection:
                    connection.sendall(request + b"\n")
                    last = json.loads(rest(connection).splitlines()[-1])
                    assert last["status"] == 1, request[:50]
                    assert "secret" not in json.dumps(last)
            for flood in (b"x" * 1_000_000, b"x" * 1_000_000 + b"\n"):
                with client(made) as connection:
                    try:
                        connection.sendall(flood)
                    except OSError:
                        continue  # ended meanwhile
                    assert rest(connection) == b""
            for half in (b"", b'{"command": "sta', b'{"command": "restart", "names": ["loop"]}\n'):
                with client(made) as connection:
                    connection.sendall(half)
            done = ctl(made, "status")
            assert done.returncode == 0, done.stderr
            assert rest(silent) == b""
        assert "Traceback" not in running.text
        assert "Unhandled" not in running.text
        assert running.get("/")[0] == 200


def test_the_silent_shut_nobody_out(made: Made) -> None:
    """As many as there may be, and more: the oldest of them gives way to whoever comes."""
    with started(made) as running, contextlib.ExitStack() as stack:
        running.wait_for("gunicorn: ready")
        silent = [stack.enter_context(client(made)) for _ in range(40)]
        done = ctl(made, "status")
        assert done.returncode == 0, done.stderr
        assert rest(silent[0]) == b""
