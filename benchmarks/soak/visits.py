"""The visitor's lines → for how long good requests had no answer."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

VISITOR = Path(__file__).with_name("visitor.py")
STEP = 0.02  # seconds between good requests
PATIENCE = 20.0  # seconds for an answer


@dataclass(frozen=True)
class Visit:
    """One good request: when it was due, sent and over, and what became of it."""

    due: float
    sent: float
    ended: float
    word: str

    @property
    def good(self) -> bool:
        return self.word == "200"


@dataclass(frozen=True)
class Found:
    """Good requests for a time: how many, which of them were lost, the longest time without any
    answer, the slowest answer, and by how much the visitor itself was late; in seconds."""

    asked: int
    lost: tuple[str, ...]
    down: float
    slowest: float
    late: float


@dataclass
class Visits:
    """What has come so far."""

    all: list[Visit] = field(default_factory=list)

    def follow(self, process: subprocess.Popen[str]) -> None:
        """Collect what it tells."""
        assert process.stdout is not None
        for line in process.stdout:
            due, sent, ended, word = line.split()
            self.all.append(Visit(float(due), float(sent), float(ended), word))

    def answered(self, since: float) -> bool:
        """Whether a request that was sent then or later has been answered."""
        return any(it.good and it.sent >= since for it in reversed(self.all))

    def between(self, begin: float, end: float) -> Found:
        """Requests that were due then, and the answers that came then."""
        asked = [it for it in self.all if begin <= it.due < end]
        came = sorted(it.ended for it in self.all if it.good and begin <= it.ended < end)
        times = [begin, *came, end] if asked else []
        gaps = [after - before for before, after in itertools.pairwise(times)]
        return Found(
            len(asked),
            tuple(it.word for it in asked if not it.good),
            max(gaps, default=0.0),
            max((it.ended - it.due for it in asked if it.good), default=0.0),
            max((it.sent - it.due for it in asked), default=0.0),
        )


@contextmanager
def asking(port: int, found: Visits) -> Iterator[None]:
    """A visitor asks, until the end; when it is over, all of the answers have come."""
    process = subprocess.Popen(
        [sys.executable, str(VISITOR), str(port), str(STEP), str(PATIENCE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    reader = threading.Thread(target=found.follow, args=(process,), daemon=True)
    reader.start()
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(PATIENCE + 10)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)
        reader.join(5)
