"""Images → how long a container takes to its first page, and what it writes while it serves."""

from __future__ import annotations

import contextlib
import http.client
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from docker import container, docker, inspect, started

PATIENCE = 60.0  # seconds for one start
STEP = 0.003  # seconds between two attempts
PAUSE = 0.2  # seconds between two requests to one that serves
BARRED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@dataclass(frozen=True)
class Start:
    """An image and its variables; `options` are docker's."""

    name: str
    image: str
    variables: Mapping[str, str]
    options: tuple[str, ...] = ()

    def words(self, port: int) -> list[str]:
        """For `docker run`."""
        return [*self.options, "-p", f"127.0.0.1:{port}:8000", self.image]


def measured(start: Start) -> float:
    """Seconds from a container's start to the first 200 of `/`.

    Who asks is there before the container is, so that nothing of the engine's client is in it.
    """
    port = free_port()
    ready: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            if answers(port):
                ready.append(time.time())
                return
            time.sleep(STEP)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        with container(start.words(port), start.variables) as name:
            asking.join(PATIENCE)
            if not ready:
                sys.exit(f"error: {start.name}: no page\n{docker('logs', name)}")
            return ready[0] - started(name)
    finally:
        over.set()
        asking.join()


def written(starts: Sequence[Start], seconds: float) -> dict[str, tuple[int, list[str]]]:
    """Bytes and paths that each writes into its own layer while all of them serve requests."""
    found: dict[str, tuple[int, list[str]]] = {}
    with contextlib.ExitStack() as stack:
        running = []
        for start in starts:
            port = free_port()
            name = stack.enter_context(container(start.words(port), start.variables))
            running.append((start, port, name))
        for start, port, name in running:
            wait_for(start, port, name)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for start, port, name in running:
                if not answers(port):
                    sys.exit(f"error: {start.name}: stopped answering\n{docker('logs', name)}")
            time.sleep(PAUSE)
        for start, _, name in running:
            paths = [line[2:] for line in docker("diff", name).splitlines()]
            found[start.name] = (int(inspect(name)["SizeRw"]), paths)
    return found


def wait_for(start: Start, port: int, name: str) -> None:
    """Return when it serves."""
    end = time.monotonic() + PATIENCE
    while not answers(port):
        if time.monotonic() > end:
            sys.exit(f"error: {start.name}: no page\n{docker('logs', name)}")
        time.sleep(PAUSE)


def answers(port: int) -> bool:
    """Whether GET / is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port
