"""How many workers gunicorn's master keeps, and what it tells those that are too many."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gunicorn.app.base import BaseApplication

from luggage.run.server import options
from luggage.web import worker as web
from luggage.web.arbiter import SPARES, Arbiter
from luggage.web.slate import Slate


class Application(BaseApplication):  # type: ignore[misc]
    """With luggage's own settings, and two workers."""

    def load_config(self) -> None:
        mine = {"worker_class": web.Worker, "graceful_timeout": 1}
        for name, value in {**options("127.0.0.1:0", 2, 1), **mine}.items():
            self.cfg.set(name, value)


class Worker:
    """One that serves, as the master sees it; `pid` is a process that only waits."""

    def __init__(self, age: int) -> None:
        self.age = age
        self.slate = Slate()
        self.slate.serve()
        self.process = subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; exec sleep 60"])
        self.pid = self.process.pid


class Master(Arbiter):
    """Whose workers are made by `make`."""

    make: Callable[[int], Any]

    def spawn_worker(self) -> Any:
        self.worker_age += 1
        worker = self.make(self.worker_age)
        self.WORKERS[worker.pid] = worker
        return worker.pid


@pytest.fixture
def master() -> Iterator[Master]:
    it = Master(Application())
    it.pid = os.getpid()
    it.make = Worker
    it.WORKERS = {}
    it.LISTENERS = [object()]
    it.manage_workers()
    yield it
    for worker in it.WORKERS.values():
        worker.process.kill()
        worker.process.wait()
        worker.slate.close()


def look(master: Master) -> None:
    """As the loop of the master does."""
    for worker in master.WORKERS.values():
        worker.slate.beat()
    master.murder_workers()
    master.manage_workers()


def test_one_too_many_leaves_and_counts_no_more(master: Master) -> None:
    """It does not take the queue with it, has as long as its requests may take, and no other is
    told to go in its place."""
    look(master)
    assert len(master.WORKERS) == 2
    master.handle_ttin()
    look(master)
    assert len(master.WORKERS) == 3
    master.handle_ttou()
    for _ in range(5):
        look(master)
    assert [it.slate.leaving for it in master.WORKERS.values()] == ["surplus", "", ""]
    assert len(master.WORKERS) == 3


def test_the_master_beats_while_it_waits_for_workers(master: Master) -> None:
    """gunicorn waits in HUP for as long as old workers have requests, and looks at nobody."""
    beats: list[None] = []
    master.beat = lambda: beats.append(None)  # type: ignore[method-assign]
    master.handle_hup()
    assert len(master.WORKERS) == 4
    assert len(beats) >= 5


def test_at_the_end_nobody_leaves_the_queue_to_others(master: Master) -> None:
    """There are no others."""
    master.LISTENERS = []
    for pid in master.WORKERS:
        master.kill_worker(pid, signal.SIGTERM)
    assert [it.slate.leaving for it in master.WORKERS.values()] == ["", ""]


def test_who_leaves_is_replaced_at_once_and_once(master: Master) -> None:
    """And never more than a few times as many as are wanted."""
    look(master)
    first, _ = master.WORKERS.values()
    first.slate.leave("memory")
    for _ in range(5):
        look(master)
    assert len(master.WORKERS) == 3
    for _ in range(30):
        for worker in master.WORKERS.values():
            worker.slate.leave("memory")
        look(master)
    assert len(master.WORKERS) <= 2 + 2 * SPARES
