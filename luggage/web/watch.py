"""A worker's jobs, looked at twenty times a second → overdue ones told, and a worker that leaves.

It runs in a thread of the worker. Where no thread can run, as one holds the interpreter's lock, the
master finds that there is no sign of life (luggage/web/lookout.py).
"""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

from luggage.web import memory, metrics, overdue, slate
from luggage.web.job import Job
from luggage.web.jobs import Jobs
from luggage.web.slate import Slate

TICK = 0.05  # seconds
IDLE = 0.1  # seconds, while there is nothing to watch
GAP = 0.5  # seconds beyond a tick: the machine slept, or nobody here could run
LOOKS = 0.1  # seconds between the looks of a master that can run
PATIENCE = 0.15  # seconds that a request has to end when it was told
WEIGH = 0.2  # seconds between looks at the memory
STRAIN = 0.5  # seconds between looks for requests that compute
FEW = 2  # of these make a worker slow


class Leaving(Protocol):
    """The worker that is watched."""

    def leave(self, reason: str) -> None: ...

    def refuse(self, job: Job) -> None: ...

    def refused(self, job: Job) -> None: ...

    def cut_off(self, job: Job) -> None: ...


class Watch:
    """Watches `jobs`, and tells `worker` once to leave, with the reason, where it should.

    `most` is the resident memory in bytes that the worker may have; 0: any.
    """

    def __init__(self, jobs: Jobs, page: Slate, worker: Leaving, *, most: int, log: Any) -> None:
        self._jobs = jobs
        self._slate = page
        self._worker = worker
        self._most = most
        self._log = log
        self._weighed = 0.0
        self._strained = 0.0
        self._slow = False
        self._reason = ""
        self.telling = threading.Lock()  # held until what is refused is told of as well

    def start(self) -> None:
        """Watch, in a thread, until the process ends."""
        self._slate.beat()
        threading.Thread(target=self._run, daemon=True, name="watch").start()

    def _run(self) -> None:
        last, worked, looks = time.monotonic(), time.process_time(), self._slate.looks
        pause = IDLE
        while True:
            time.sleep(pause)
            now, work, seen = time.monotonic(), time.process_time(), self._slate.looks
            # A request that lets nobody else run is not excused by that, whether it computes or
            # waits: the master could run meanwhile.
            gap = now - last - pause - max(work - worked, LOOKS * (seen - looks))
            if gap > GAP:
                self._jobs.excuse(gap)
            last, worked, looks = now, work, seen
            try:
                pause = self.tick(now)
            except Exception:  # the master kills a worker without a watch
                self._log.exception("worker: its watch has failed, and goes on")

    def tick(self, now: float) -> float:
        """Look once; returns the seconds until the next time."""
        count, trouble = self._jobs.tick()
        if now - self._strained >= STRAIN:
            self._slow = self._jobs.computing() >= FEW
            self._strained = now
        self._slate.beat(trouble or (slate.SLOW if self._slow else 0))
        self._jobs.cut_off(self._worker.cut_off)
        for job in self._jobs.late():
            with self.telling:
                self._end(job)
        if self._most and self._slate.serving and now - self._weighed >= WEIGH:
            self._weigh(memory.resident())
            self._weighed = now
        return TICK if count else IDLE

    def _weigh(self, size: int) -> None:
        if size <= self._most or self._reason:
            return
        if not self._weighed:
            # Any other worker would be as large.
            self._log.warning(
                "worker: %d MiB of memory with nothing but the app, which may have %d: it is "
                "replaced when it has %d",
                size >> 20,
                self._most >> 20,
                2 * size >> 20,
            )
            self._most = 2 * size
            return
        self._log.warning(
            "worker: %d MiB of memory, more than the %d it may have: another takes its place, and "
            "it ends when it has answered what it has",
            size >> 20,
            self._most >> 20,
        )
        self._go("memory")

    def _end(self, job: Job) -> None:
        doing = "" if job.told else overdue.where(job.thread)
        named = {"request_id": job.what.rpartition(" ")[2]}
        if self._jobs.tell(job):
            if not job.counted:
                metrics.overdue()
            job.counted = True
            self._log.error(
                "overdue: %s: has taken longer than %g s, and is interrupted in:\n%s",
                job.what,
                job.allowed,
                doing,
                extra=named,
            )
        elif not job.stuck and self._jobs.give_up(job, PATIENCE, self._worker.refuse):
            self._log.error(
                "overdue: %s: cannot be interrupted: another worker takes this one's place, and it "
                "ends when it has answered what else it has",
                job.what,
                extra=named,
            )
            try:
                self._worker.refused(job)
            finally:
                self._go("overdue")

    def _go(self, reason: str) -> None:
        if not self._reason:
            self._reason = reason
            metrics.replaced(reason)
            self._worker.leave(reason)
