"""What the targets share: a luggage that runs, requests at once, and what was found."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from servers import BY_NAME, HOST, Live, Server, running

LONG = 60.0  # seconds that a client of the targets waits


@dataclass(frozen=True)
class Found:
    """A measure, what it should be, what it is, and whether that will do."""

    measure: str
    target: str
    told: str
    met: bool

    def __str__(self) -> str:
        return f"{'met' if self.met else 'MISSED':<8}{self.measure}: {self.told} ({self.target})"


@dataclass(frozen=True)
class Bench:
    """With what, where, and how often it is measured."""

    python: Path
    folder: Path
    rounds: int = 9
    reloads: int = 100
    requests: int = 20_000
    seconds: float = 5.0
    _number: Iterator[int] = field(default_factory=itertools.count)

    @contextlib.contextmanager
    def started(self, server: Server | None = None, **variables: str) -> Iterator[Live]:
        """luggage, or `server`, in a folder of its own."""
        folder = self.folder / str(next(self._number))
        with running(server or BY_NAME["luggage"], self.python, folder, variables) as live:
            yield live


@dataclass
class Request:
    """GET `path` in a thread, which tells when it was over; `status` is None where it was cut."""

    port: int
    path: str
    status: int | None = None
    text: str = ""
    began: float = 0.0
    ended: float = 0.0

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.began = time.monotonic()
        connection = http.client.HTTPConnection(HOST, self.port, timeout=LONG)
        try:
            connection.request("GET", self.path, headers={"Connection": "close"})
            answer = connection.getresponse()
            self.text = answer.read().decode()
            self.status = answer.status
        except (OSError, http.client.HTTPException) as error:
            self.text = type(error).__name__
        finally:
            self.ended = time.monotonic()
            connection.close()

    def wait(self, seconds: float = LONG + 5) -> int | None:
        """Its status, when it is over."""
        self._thread.join(seconds)
        return self.status

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()


def workers(live: Live) -> set[int]:
    """The pids that serve: those to which the main process is more than a parent."""
    found = live.tree()
    near = {it.pid for it in found if it.parent == live.process.pid}
    return {it.pid for it in found if it.parent in near and not it.zombie}
