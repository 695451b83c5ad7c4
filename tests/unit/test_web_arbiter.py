"""How many workers gunicorn's master keeps, and what it tells those that are too many."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gunicorn.app.base import BaseApplication

from luggage.run.server import options
from luggage.web import metrics
from luggage.web import worker as web
from luggage.web.arbiter import SPARES, Arbiter
from luggage.web.figures import entries
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
        self.tmp = Tmp()
        self.process = subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; exec sleep 60"])
        self.pid = self.process.pid


class Tmp:
    """gunicorn's own sign of life, which nobody looks at."""

    def close(self) -> None: ...


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
    made = list(it.WORKERS.values())
    yield it
    for worker in {*made, *it.WORKERS.values()}:
        worker.process.kill()
        worker.process.wait()
        worker.slate.close()


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What the master has logged."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, handler = logging.getLogger("gunicorn.error"), Handler()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.fixture
def figures(tmp_path: Path) -> Iterator[Callable[[], dict[str, float]]]:
    """What this process has counted."""
    metrics.prepare(tmp_path)

    def read() -> dict[str, float]:
        [path] = tmp_path.glob("counter_*.db")
        return {key: value for key, value, _, _ in entries(path.read_bytes())}

    yield read
    metrics.prepare(None)


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
    assert [it.slate.leaving for it in master.WORKERS.values()] == ["", "", "surplus"]
    assert len(master.WORKERS) == 3


def test_who_serves_nobody_goes_first(master: Master) -> None:
    """The oldest has the clients that came first: a stream, say, which would be cut off."""
    look(master)
    first, second = master.WORKERS.values()
    second.slate.begin("GET /stream id", time.monotonic(), 0)
    master.handle_ttou()
    assert (first.slate.leaving, second.slate.leaving) == ("surplus", "")
    master.handle_ttin()
    look(master)
    third = list(master.WORKERS.values())[-1]
    third.slate.begin("GET / id", time.monotonic(), 30)
    master.handle_ttou()
    assert (second.slate.leaving, third.slate.leaving) == ("", "surplus"), "both serve: the younger"


def test_no_two_go_for_one_that_is_too_many(master: Master) -> None:
    """Also where the master is told twice before it looks again."""
    master.handle_ttin()
    master.handle_ttin()
    look(master)
    assert len(master.WORKERS) == 4
    for _ in range(3):
        master.handle_ttou()
    assert [it.slate.leaving for it in master.WORKERS.values()].count("surplus") == 3


def test_somebody_serves_however_little_memory_is_left(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the last one leaves, its successor is there at once: nobody else could."""
    look(master)
    monkeypatch.setattr("luggage.web.memory.left", lambda: 0)
    for worker in list(master.WORKERS.values()):
        worker.slate.leave("memory")
    for _ in range(3):
        look(master)
    assert [it.slate.leaving for it in master.WORKERS.values()] == ["memory", "memory", ""]
    for leaving in (3, 4):  # and so on, where the next one leaves as well
        list(master.WORKERS.values())[-1].slate.leave("memory")
        for _ in range(3):
            look(master)
        told = [it.slate.leaving for it in master.WORKERS.values()]
        assert told == ["memory"] * leaving + [""]


def test_of_a_reload_the_old_ones_go(master: Master) -> None:
    """gunicorn's own, by HUP; whoever leaves already, and spares, are none of its new ones."""
    look(master)
    next(iter(master.WORKERS.values())).slate.leave("overdue")
    look(master)
    before = master.worker_age
    master.cfg.set("graceful_timeout", 0)
    master.handle_hup()
    for _ in range(5):
        look(master)
    staying = [it.age for it in master.WORKERS.values() if not it.slate.leaving]
    assert len(staying) == 2
    assert min(staying) > before


def test_as_many_stay_as_are_wanted(master: Master, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one that leaves has no successor, for want of memory."""
    master.handle_ttin()
    look(master)
    monkeypatch.setattr("luggage.web.memory.left", lambda: 0)
    next(iter(master.WORKERS.values())).slate.leave("memory")
    look(master)
    master.handle_ttou()
    for _ in range(3):
        look(master)
    assert [it.slate.leaving for it in master.WORKERS.values()].count("") == 2


def test_the_master_beats_while_it_waits_for_workers(master: Master) -> None:
    """gunicorn waits in HUP for as long as old workers have requests, and looks at nobody."""
    beats: list[None] = []
    master.beat = lambda: beats.append(None)  # type: ignore[method-assign]
    master.handle_hup()
    assert len(master.WORKERS) == 4
    assert len(beats) >= 2


def test_one_late_look_of_the_masters_starts_no_spare(master: Master) -> None:
    """It could not run itself, for however long: workers may not have been able to, either."""
    look(master)
    master._last -= 60
    master.murder_workers()
    master.manage_workers()
    assert len(master.WORKERS) == 2
    master._last -= 60
    master.murder_workers()
    master.manage_workers()
    assert len(master.WORKERS) > 2, "a second one without a sign of life"


def test_at_the_end_nobody_leaves_the_queue_to_others(master: Master) -> None:
    """There are no others."""
    master.LISTENERS = []
    for pid in master.WORKERS:
        master.kill_worker(pid, signal.SIGTERM)
    assert [it.slate.leaving for it in master.WORKERS.values()] == ["", ""]
    assert [it.slate.stopping for it in master.WORKERS.values()] == [True, True]


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


@pytest.mark.parametrize("stopping", [False, True])
def test_a_short_pause_of_everything_kills_nobody(
    master: Master, told: list[str], stopping: bool
) -> None:
    """It is longer than a request may take, and the master is the first that runs again."""
    worker, _ = master.WORKERS.values()
    worker.slate.begin("GET /one 1", time.monotonic(), 1)
    if stopping:
        master.LISTENERS = []
    look_at_all = master.reap_workers if stopping else master.murder_workers
    worker.slate.beat()
    look_at_all()
    time.sleep(1.6)
    look_at_all()
    assert not [it for it in told if "killed" in it]


def test_requests_of_a_frozen_worker_are_overdue(
    master: Master, told: list[str], figures: Callable[[], dict[str, float]]
) -> None:
    """Once each: not again what its own watch has told; nor what may take for ever."""
    frozen, other = master.WORKERS.values()
    now = time.monotonic()
    frozen.slate.begin("GET /one 1", now, 0.5)
    frozen.slate.begin("GET /two 2", now, 0.5)
    frozen.slate.tell(frozen.slate.begin("GET /told 3", now, 0.5))
    frozen.slate.beat()
    while not any("killed" in it for it in told):
        assert time.monotonic() < now + 20
        other.slate.beat()
        master.murder_workers()
        time.sleep(0.05)
    assert any("GET /one 1" in it and "GET /two 2" in it for it in told)
    overdue = metrics.key(metrics.OVERDUE, f"{metrics.OVERDUE}_total")
    replaced = metrics.key(metrics.REPLACED, f"{metrics.REPLACED}_total", reason="frozen")
    assert figures()[overdue] == 2
    assert figures()[replaced] == 1


def test_who_is_left_at_the_end_is_told_with_what_it_has(master: Master, told: list[str]) -> None:
    """It has not stood still, and what it serves has no deadline; then it is killed."""
    first, second = master.WORKERS.values()
    first.slate.begin("GET /for-ever 1", time.monotonic(), 0)
    second.slate.leave("memory")
    second.slate.begin("GET /other 2", time.monotonic(), 60)
    master.LISTENERS = []

    def beat() -> None:
        for worker in master.WORKERS.values():
            worker.slate.beat()

    master.beat = beat  # type: ignore[method-assign]
    master.stop()
    assert not master.WORKERS
    [one] = [it for it in told if "GET /for-ever 1" in it]
    assert one.startswith(f"worker (pid {first.pid}): has not ended in time: killed")
    assert len([it for it in told if "GET /other 2" in it]) == 1


def test_each_reason_is_shown_before_it_comes(
    figures: Callable[[], dict[str, float]],
) -> None:
    """A series that begins with 1 has no increase that an alert would see."""
    metrics.observe("GET", 200, 0.1)
    for reason in metrics.REASONS:
        name = metrics.key(metrics.REPLACED, f"{metrics.REPLACED}_total", reason=reason)
        assert figures()[name] == 0


def test_who_dies_is_told_with_what_it_served_although_it_leaves(
    master: Master, told: list[str]
) -> None:
    """Its requests are lost, whatever it would have gone for."""
    first, _ = master.WORKERS.values()
    first.slate.leave("memory")
    first.slate.begin("GET /x 1", time.monotonic(), 60)
    first.process.kill()
    while first.pid in master.WORKERS:
        master.reap_workers()
    assert any("died while it served" in it and "GET /x 1" in it for it in told)
