"""gunicorn's master → what it sees of each worker, and the end of those that stand still."""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import signal
import time
from types import SimpleNamespace
from typing import Any

from gunicorn import arbiter

from luggage.web import heard, metrics
from luggage.web.look import NEWS, TELL, Look, overdue, patience, told
from luggage.web.slate import Served

TICK = 0.1  # seconds between looks
# Seconds that count between two looks: for longer, the master itself could not run. Below STILL, so
# that one late look alone starts no spare.
MOST = 0.3
DUMP = 0.5  # seconds that a worker has to write its traceback
READ = 1.0  # seconds that the reader of such tracebacks has, before the reason of the end is told


# In the place of the module `time`, by which gunicorn's master counts while it stops.
_STEADY = SimpleNamespace(time=time.monotonic, monotonic=time.monotonic, sleep=time.sleep)


class Lookout(arbiter.Arbiter):
    """One without a sign of life for as long as its requests may take is killed, after it has
    written where it stands; while everything stops as well.

    Only time in which the master itself could run is counted: a paused container, or a laptop that
    slept, kills nobody.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._looks: dict[int, Look] = {}
        self._last = time.monotonic()
        super().__init__(*args, **options)

    @staticmethod
    def beat() -> None:
        """Called at each look: who sees to it that the master itself goes on?"""

    def look_at_all(self) -> list[tuple[int, Look, Any]]:
        """Each worker's pid, what is seen of it now, and the worker."""
        now = time.monotonic()
        passed, self._last = min(now - self._last, MOST), now
        seen = []
        for pid, worker in list(self.WORKERS.items()):
            look = self._looks.setdefault(pid, Look())
            worker.slate.look()
            beats = worker.slate.beats
            look.age += passed
            look.silent = look.silent + passed if beats == look.beats else 0.0
            look.beats = beats
            if look.dying is not None:
                look.dying += passed
            seen.append((pid, look, worker))
        return seen

    def reap_workers(self) -> None:
        self.beat()  # HUP, and the end, wait here for those that answer still
        if not self.LISTENERS:  # they are closed first
            self._see_out()
        super().reap_workers()

    def kill_workers(self, sig: int) -> None:
        if sig == signal.SIGKILL:  # they have had all the time that there is
            self.reap_workers()
            for pid in list(self.WORKERS):
                look = self._looks.setdefault(pid, Look())
                if look.dying is None:
                    self._end(pid, look, "has not ended in time")
            end = time.monotonic() + DUMP
            while self.WORKERS and time.monotonic() < end:
                time.sleep(TICK)
                self.reap_workers()
        super().kill_workers(sig)

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers. The reason, which the master tells next, stands after their last words:
        these come on stderr, and the log is on stdout. Whoever sets the clock ends nothing."""
        arbiter.time = _STEADY
        super().stop(graceful)
        heard.wait(READ)

    def _see_out(self) -> None:
        for pid, look, worker in self.look_at_all():
            served = worker.slate.served()
            if look.dying is not None:
                self._kill(pid, look)
            # One without a request may tidy up, and then stands still for as long as that takes.
            elif served and not self._end_frozen(pid, look, served) and look.silent >= TELL:
                self._tell(pid, look, "still")

    def _end_frozen(self, pid: int, look: Look, served: list[Served]) -> bool:
        if look.silent < patience(served, float(self.worker_class.deadlines_of.usual)):
            return False
        metrics.replaced("frozen")
        self._end(pid, look, f"no sign of life for {look.silent:.0f} s")
        return True

    def _end(self, pid: int, look: Look, why: str) -> None:
        """Ask the worker where it stands, which ends it; what does not end is killed."""
        served = self.WORKERS[pid].slate.served()
        what = told(served, time.monotonic())
        self.log.error("worker (pid %d): %s: killed; it stands in:%s", pid, why, what)
        for _ in range(overdue(served, look.silent)):
            metrics.overdue()
        look.dying = 0.0
        self.kill_worker(pid, signal.SIGABRT)

    def _kill(self, pid: int, look: Look) -> None:
        if look.dying is not None and look.dying >= DUMP:
            self.kill_worker(pid, signal.SIGKILL)

    def _tell(self, pid: int, look: Look, news: str) -> None:
        if news == look.told:
            return
        look.told = news
        if news:
            self.log.warning(
                "worker (pid %d): %s, %s%s",
                pid,
                NEWS[news],
                "another stands in for it" if self.LISTENERS else "the end waits for it",
                told(self.WORKERS[pid].slate.served(), time.monotonic()),
            )
        else:
            self.log.warning("worker (pid %d): goes on", pid)
