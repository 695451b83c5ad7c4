"""Whom a worker takes, by what is true of it; what it does with them is in tests/process."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from luggage.web.worker import Worker


class App:
    """What gunicorn asks of an application before it is loaded."""

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg


class Listener:
    """Counts how often a connection is asked for, and has none."""

    asked = 0

    def accept(self) -> None:
        self.asked += 1
        raise BlockingIOError(errno.EAGAIN, "nobody")


@pytest.fixture
def worker() -> Iterator[Worker]:
    cfg = Config()
    made = Worker(1, os.getpid(), [], App(cfg), 0, cfg, None)
    yield made
    made.tmp.close()
    made.slate.close()


@pytest.mark.parametrize(
    ("alive", "relieved", "leaving", "asked"),
    [
        (True, False, "", 1),
        (True, True, "", 0),
        (False, True, "overdue", 0),
        (False, True, "", 1),  # everything stops: who is in the queue is answered
    ],
)
def test_a_relieved_worker_takes_nobody(
    worker: Worker, alive: bool, relieved: bool, leaving: str, asked: int
) -> None:
    """What woke its main thread may have come before the master relieved it."""
    worker.alive = alive
    worker.slate.relieve(relieved)
    if leaving:
        worker.slate.leave(leaving)
    listener = Listener()
    worker.accept(listener)
    assert listener.asked == asked
