"""gunicorn's master; workers that stand still, leave, or are full are replaced, and told of."""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any

from gunicorn.errors import HaltServer

from luggage.web import memory, metrics
from luggage.web.look import NICE, STILL, TELL, TROUBLES, Look, make_nice
from luggage.web.lookout import TICK, Lookout
from luggage.web.slate import SLOW
from luggage.web.victims import Victims
from luggage.web.worker import TOLD

KEEP = 10.0  # seconds that a spare is kept when it is needed no more: it may be soon
BOOT = 60.0  # seconds that a worker has to load the app
SPARES = 16  # for each worker that is wanted
SLOW_SPARES = 4  # of these, for slow workers: more processes compute no quicker
RETRY = 1.0  # seconds until a worker that could not start is tried again; doubled each time
MOST_RETRY = 30.0


class Arbiter(Lookout):
    """Keeps `num_workers` workers that can take a request.

    One that gives no sign of life for STILL seconds (a thread holds the interpreter's lock), that
    takes no request because those it has do not end, that is slow because some of these compute all
    the time, or that is leaving, is not one of them: a spare stands in for it.

    A worker that cannot start ends the master only where no other serves: else it is tried again.
    One that cannot even be forked, for want of processes, memory or files, ends nothing.

    When several workers fail at once, the failure of the second does not end the stopping. There is
    no upgrade in place (USR2), which cannot work under a supervisor.
    """

    victims = Victims(None)

    def __init__(self, *args: Any, **options: Any) -> None:
        self._away = 0
        self._leaving = 0  # of these, those that go by themselves
        self._old = 0  # who is older than that goes first
        self._kept = (0, 0.0)  # how many spares, until when
        self._retry = (RETRY, 0.0)  # the next pause, and when to try
        self._size = 0  # bytes that a worker has when it begins to serve
        super().__init__(*args, **options)

    # -- how many

    @property
    def num_workers(self) -> Any:
        """How many there should be now, with those that stand in for others."""
        return None if self._num_workers is None else self._num_workers + self._away

    @num_workers.setter
    def num_workers(self, value: int) -> None:
        self._set_num_workers(value)

    def handle_ttin(self) -> None:
        self._set_num_workers(self._num_workers + 1)
        self.manage_workers()

    def handle_ttou(self) -> None:
        if self._num_workers > 1:
            self._set_num_workers(self._num_workers - 1)
            self.manage_workers()

    def handle_usr2(self) -> None:
        self.log.warning("USR2: left out: it cannot work here; use: ctl reload")

    # -- looking

    def wait_for_signals(self, timeout: float = 1.0) -> Any:
        return super().wait_for_signals(min(timeout, TICK))

    def murder_workers(self) -> None:
        """Look at every worker; gunicorn's master calls this again and again."""
        self.beat()
        needed = leaving = able = slow = staying = 0
        for pid, look, worker in self.look_at_all():
            self._welcome(look, worker)
            ill = self._judge(pid, look, worker)
            if worker.slate.leaving:
                leaving += 1
                continue
            staying += look.dying is None
            if ill:
                needed += look.told != "slow"
                slow += look.told == "slow"
            elif worker.slate.serving:
                able += 1
        for worker in self.WORKERS.values():
            worker.slate.relieve(able > 0 and worker.slate.trouble == SLOW)
        needed += min(slow, SLOW_SPARES * int(self._num_workers or 1))
        needed += needed > 0  # one more: where there is one fault, there will be others
        if needed >= self._kept[0] or time.monotonic() > self._kept[1]:
            self._kept = needed, time.monotonic() + KEEP
        self._leaving = leaving
        away = self._kept[0] + leaving
        self._away = min(away, self._spares(away))
        if not staying:  # somebody must serve, whatever room the memory has
            wanted = int(self._num_workers or 1)
            self._away = max(self._away, min(leaving + 1 - wanted, SPARES * wanted))

    def reload(self) -> None:
        self._old = self.worker_age
        super().reload()

    def manage_workers(self) -> None:
        """Those that are too many go: before a reload's the older ones; the idle and young ones
        else, since clients have the old ones."""
        if time.monotonic() < self._retry[1]:
            return
        if len(self.WORKERS) <= self.num_workers:
            super().manage_workers()
            return
        staying = [it for it in self.WORKERS.values() if not it.slate.leaving]
        staying.sort(key=lambda it: (it.age > self._old, bool(it.slate.served()), -it.age))
        most = max(self._num_workers, self.num_workers - self._leaving)
        for worker in staying[: max(0, len(staying) - most)]:
            self.kill_worker(worker.pid, signal.SIGTERM)

    def _welcome(self, look: Look, worker: Any) -> None:
        if worker.slate.serving and not look.served:
            look.served = True
            self._size = memory.resident(worker.pid)
            self._retry = RETRY, self._retry[1]

    def _judge(self, pid: int, look: Look, worker: Any) -> bool:
        """Whether the worker can take no request, so that another must stand in for it."""
        if look.dying is not None:
            self._kill(pid, look)
            return True
        if not worker.slate.serving:
            if look.age > BOOT:
                metrics.replaced("boot")
                self._end(pid, look, f"has not loaded the app in {BOOT:g} s")
            return False
        if self._end_frozen(pid, look, worker.slate.served()):
            return True
        trouble = "still" if look.silent >= STILL else TROUBLES[worker.slate.trouble]
        if trouble == "still":
            if look.silent >= NICE and not look.nice:
                look.nice = make_nice(pid)
        elif look.nice and not worker.slate.leaving:
            self._relieve_for_good(pid, worker)
        if trouble != "still" or look.silent >= TELL:
            self._tell(pid, look, trouble)
        return bool(trouble)

    def _relieve_for_good(self, pid: int, worker: Any) -> None:
        """A worker that has come to itself would be slow for ever: nobody may take it back."""
        self.log.warning("worker (pid %d): has come to itself, and is replaced", pid)
        metrics.replaced("frozen")
        worker.slate.leave("frozen")
        self.kill_worker(pid, signal.SIGTERM)

    def _spares(self, wanted: int) -> int:
        """How many may stand in for others: none that the memory has no room for."""
        most = SPARES * int(self._num_workers or 1)
        there = len(self.WORKERS) - int(self._num_workers or 1)
        if there >= wanted:
            return most
        room = int(memory.left() // self._size) if self._size else most
        return min(most, max(there, 0) + room)

    # -- beginnings and ends

    def spawn_worker(self) -> Any:
        self.beat()  # many take longer than a look may
        if time.monotonic() < self._retry[1]:
            return None
        # What is sent to the worker before it has handlers of its own would end in the master's.
        signal.pthread_sigmask(signal.SIG_BLOCK, TOLD)
        try:
            with self.victims.forked():
                return super().spawn_worker()
        except OSError as error:
            if os.getpid() != self.pid:
                raise
            self._try_later(f"a worker cannot be started: {error.strerror}:")
            return None
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, TOLD)

    def kill_worker(self, pid: int, sig: int) -> None:
        worker = self.WORKERS.get(pid)
        if worker is not None and not self.LISTENERS:
            worker.slate.stop()
        leaves = worker is None or worker.slate.leaving
        if sig == signal.SIGTERM and self.LISTENERS and not leaves:
            # It is one too many: who is in the queue is the other workers', and what it serves has
            # as long as it may have.
            worker.slate.leave("surplus")
        super().kill_worker(pid, sig)

    def reap_workers(self) -> None:
        before = dict(self.WORKERS)
        try:
            super().reap_workers()
        except HaltServer as halt:
            if self.LISTENERS:  # it closes them first when it stops
                if not any(it.slate.serving for it in self.WORKERS.values()):
                    raise
                self._try_later(f"{halt.reason} Others serve;")
                self.SIG_QUEUE.put_nowait(signal.SIGCHLD)  # more may have died
        for pid in before.keys() - self.WORKERS.keys():
            self._bury(pid, before[pid])

    def _try_later(self, why: str) -> None:
        """A worker cannot start: what is wrong may pass."""
        pause = self._retry[0]
        self.log.error("%s it is tried again in %g s", why, pause)
        self._retry = min(2 * pause, MOST_RETRY), time.monotonic() + pause

    def _bury(self, pid: int, worker: Any) -> None:
        look = self._looks.pop(pid, Look())
        served = worker.slate.served()
        if served and look.dying is None:
            what = "".join(f"\n  {it.what}" for it in served)
            self.log.error("worker (pid %d): died while it served:%s", pid, what)
            if not worker.slate.leaving:
                metrics.replaced("died")
        with contextlib.suppress(BufferError):
            worker.slate.close()
