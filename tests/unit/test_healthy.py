"""The health check: it has its answer, or says why not, before the engine gives up on it."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from luggage.commands import healthy

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port whose one client is given `answer`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client, suppress(OSError):
                # What is left unread at the end would reset the connection, and lose the answer.
                client.recv(1000)
                answer(client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_the_status_is_the_answer() -> None:
    """In however many pieces it comes."""

    def pieces(client: socket.socket) -> None:
        for piece in (b"HTTP/1", b".1 20", b"0 OK\r\nServer: x\r\n"):
            client.sendall(piece)
            time.sleep(0.02)

    with server(pieces) as port:
        assert healthy.ask("127.0.0.1", port) == "200"
    with (
        server(lambda client: client.sendall(b"SSH-2.0 x\r\n")) as port,
        pytest.raises(ValueError, match="not HTTP"),
    ):
        healthy.ask("127.0.0.1", port)


@pytest.mark.parametrize("piece", [b"", b"H"])
def test_it_does_not_wait_for_long(piece: bytes) -> None:
    """The time is for all of it: not for each piece."""
    over = threading.Event()

    def hold(client: socket.socket) -> None:
        for _ in range(200):
            client.sendall(piece)
            if over.wait(0.05):
                return

    with server(hold) as port:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            healthy.ask("127.0.0.1", port, seconds=0.5)
        assert time.monotonic() - began < 5
        over.set()


def test_the_engine_is_more_patient() -> None:
    """Or it kills the check before it has said anything."""
    found = re.search(r"HEALTHCHECK .*--timeout=(\d+)s", (ROOT / "run.docker").read_text())
    assert found is not None
    assert int(found[1]) - 2 >= healthy.TIMEOUT
