"""Whom a worker takes, by what is true of it; what it does with them is in tests/process."""

from __future__ import annotations

import errno
import logging
import os
import selectors
import socket
import threading
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.sock import TCPSocket

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


@pytest.fixture
def ending(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """It has a connection still, and hardly any time for it."""
    monkeypatch.setattr("luggage.web.ending.AFTER", 0.1)
    monkeypatch.setattr(worker, "_vanish", lambda: None)
    monkeypatch.setattr(worker, "_end_within", lambda _: None)
    worker.cfg.set("graceful_timeout", 0)
    worker.log = logging.getLogger("quiet")
    worker.method_queue.init()
    worker.poller = selectors.DefaultSelector()
    worker.tpool = worker.get_thread_pool()
    worker.alive = False
    worker.nr_conns = 1
    worker.ppid = os.getppid()
    yield worker
    worker.poller.close()
    worker.method_queue.close()


def test_who_leaves_has_no_end_of_its_own(ending: Worker) -> None:
    """A stream that goes on is not cut off because its worker is one too many."""
    ending.slate.leave("surplus")
    finishing = threading.Thread(target=ending._finish)
    finishing.start()
    finishing.join(1)
    assert finishing.is_alive()
    ending.nr_conns = 0
    finishing.join(30)
    assert not finishing.is_alive()


@pytest.mark.parametrize("reason", ["", "memory"])
def test_when_everything_stops_the_queue_is_answered_and_there_is_an_end(
    ending: Worker, reason: str
) -> None:
    """Also by a worker that was leaving already: there may be no other."""
    ending.enqueue_req = lambda conn: conn.close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = TCPSocket(listener.getsockname(), ending.cfg, None, fd=os.dup(listener.fileno()))
        ending.sockets = [sock]
        with socket.create_connection(listener.getsockname()):
            if reason:
                ending.slate.leave(reason)
                ending.slate.stop()
            else:
                ending.set_accept_enabled(False)
            ending._finish()
            assert ending.nr_conns == 2, "the one that it had, and the one in the queue"
            assert sock.sock is None, "who comes now is refused"
            ending.tpool.shutdown(wait=False)
