"""Connections that a worker serves → how long each has been in the app's hands, and who may come.

Only the app's own time counts: a client that sends or reads slowly costs a thread, not a place.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from luggage.web import overdue
from luggage.web.job import APP, CLIENT, CURRENT, HELD, QUEUED, SLOW, Job
from luggage.web.slate import FULL, Slate
from luggage.web.slate import HELD as HELD_FOR_GOOD

COMPUTES = 0.04  # of a processor, that a thread uses at least which computes beside many others
MOST = 4  # times as many requests as places run at once, with those that hold none
CLIENTS = 256  # that are waited for at once beside those
REQUEST = 30.0  # seconds that a client has to send the head of its request
PRESSED = 1.0  # seconds of these where others have no thread because of it


class Jobs:
    """All jobs of a worker that has `places` for requests."""

    def __init__(
        self, places: int, slate: Slate, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._places = places
        self._slate = slate
        self._clock = clock
        self._jobs: set[Job] = set()
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._waiting = 0

    @property
    def threads(self) -> int:
        """More than places: each client that is waited for has one."""
        return MOST * self._places + CLIENTS

    def add(self, connection: socket.socket) -> Job:
        """A connection is given to the pool."""
        job = Job(connection, self._clock())
        with self._lock:
            self._jobs.add(job)
        return job

    def remove(self, job: Job) -> None:
        """Its turn is over."""
        with self._lock:
            self._jobs.discard(job)
            if not job.refused:  # else it is told of still
                job.environ = {}
            if self._waiting:
                self._room.notify()

    def room(self) -> bool:
        """Whether another connection may come."""
        with self._lock:
            return self._taken() < self._places and len(self._jobs) < self.threads

    def stuck(self) -> int:
        """How many there are that have been told, and do not end."""
        with self._lock:
            return sum(job.stuck for job in self._jobs)

    def lost(self) -> list[str]:
        """Those that got no answer, or none that is whole; empty where no request is known."""
        with self._lock:
            return [job.what for job in self._jobs if not job.refused]

    # -- the thread of a job

    def mine(self) -> Job:
        """The job of the calling thread."""
        job = CURRENT.get()
        if job is None:
            raise LookupError("this thread has no request")
        return job

    def arrive(self, job: Job) -> None:
        """The calling thread has it now, and waits for the client's request."""
        job.thread = threading.get_ident()
        job.since = job.waits = self._clock()
        CURRENT.set(job)

    def enter(self, job: Job, what: str, allowed: float) -> None:
        """The app gets it: as soon as there is a place."""
        with self._lock:
            job.what, job.allowed, job.spent = what, allowed, 0.0
            if job.cut:  # it came just after it was given up
                job.began, job.gone = self._clock(), True
                raise ConnectionResetError(errno.ECONNRESET, "the client was too slow")
            if len(self._jobs) > self._places:
                job.phase = QUEUED
                self._waiting += 1
                while not self._may_enter(job):
                    self._room.wait()
                self._waiting -= 1
            job.told, job.stuck, job.untold, job.gone = 0.0, False, True, False
            job.refused = job.counted = False
            job.since = job.began = self._clock()
            job.place = self._slate.begin(what, job.since, allowed)
            job.phase = APP  # last: it may be interrupted from here on

    def pause(self, job: Job) -> bool:
        """It is in the client's hands for a while; False where it was so already."""
        with self._lock:
            if job.phase != APP:
                return False
            now = self._clock()
            job.spent += now - job.since
            if now - job.since > SLOW:
                job.waits = now
            job.phase, job.since = CLIENT, now
            if job.told:
                overdue.forgive(job.thread)
            if self._waiting:
                self._room.notify()
            return True

    def client(self, job: Job, call: Callable[..., Any], *words: Any) -> Any:
        """Call what waits for the client, which is none of the app's time."""
        paused = self.pause(job)
        try:
            return call(*words)
        except OSError:
            job.gone = True
            raise
        finally:
            if paused:
                self.resume(job)

    def gave(self, job: Job) -> None:
        """The app has given a part of its answer: it may take as long for the next one."""
        job.untold, job.spent = False, 0.0

    def resume(self, job: Job) -> None:
        """It is in the app's hands again; one that is overdue is told again."""
        with self._lock:
            job.phase, job.since = APP, self._clock()
            job.told = 0.0

    def leave(self, job: Job) -> float:
        """The app has done with it; returns the seconds since it got it."""
        self.pause(job)
        place, job.place = job.place, -1  # it may have been left before
        self._slate.end(place)
        return self._clock() - job.began

    # -- the watch

    def late(self) -> list[Job]:
        """Those that have taken longer than they may, whether they have been told or not."""
        with self._lock:
            now = self._clock()
            return [
                job
                for job in self._jobs
                if job.phase == APP and job.allowed and job.took(now) > job.allowed
            ]

    def tell(self, job: Job) -> bool:
        """Interrupt one that is overdue; False where it has just ended, or has been told."""
        with self._lock:
            now = self._clock()
            if job.phase != APP or job.told or job.took(now) <= job.allowed:
                return False
            job.told = now
            self._slate.tell(job.place)
            overdue.interrupt(job.thread)
            return True

    def give_up(self, job: Job, patience: float, refuse: Callable[[Job], None]) -> bool:
        """Whether it was told `patience` seconds ago, and goes on; it is not waited for then.

        Its client is told by `refuse`, before it could begin to answer all the same.
        """
        with self._lock:
            if not job.told or job.phase != APP or self._clock() - job.told < patience:
                return False
            job.stuck, job.refused = True, job.untold
            refuse(job)
            return True

    def excuse(self, seconds: float) -> None:
        """Nobody could run for so long: that counts for no one."""
        with self._lock:
            for job in self._jobs:
                if job.phase == APP or not job.what:
                    job.since += seconds
                    job.told += seconds if job.told else 0.0

    def computing(self) -> int:
        """How many have computed for more than HELD seconds, rather than waited for something.

        Each makes all others in this process wait for the interpreter's lock again and again.
        """
        found = 0
        with self._lock:
            now = self._clock()
            for job in self._jobs:
                if job.phase == APP and job.took(now) >= HELD:
                    before, spent = job.computed
                    used = time.clock_gettime(time.pthread_getcpuclockid(job.thread))
                    found += before >= job.since and used - spent > COMPUTES * (now - before)
                    job.computed = now, used
        return found

    def tick(self) -> tuple[int, int]:
        """Time has passed: how many jobs there are, and what trouble there is (slate.py)."""
        with self._lock:
            if self._waiting:
                self._room.notify_all()
            if self._in_app() >= MOST * self._places:
                return len(self._jobs), HELD_FOR_GOOD
            return len(self._jobs), FULL if len(self._jobs) >= self.threads else 0

    def cut_off(self, tell: Callable[[Job], None]) -> None:
        """Let `tell` end the turn of each whose client has not sent its request in time; where they
        keep all others out, the one that has had longest has less of it."""
        with self._lock:
            now = self._clock()
            waited = [it for it in self._jobs if it.thread and not it.what and not it.cut]
            found = [it for it in waited if now - it.since > REQUEST]
            if not found and len(self._jobs) >= self.threads:
                waited = [it for it in waited if now - it.since > PRESSED]
                found = sorted(waited, key=lambda it: it.since)[:1]
            for job in found:
                job.cut = True
                tell(job)

    def _taken(self) -> int:
        if len(self._jobs) < self._places:
            return len(self._jobs)
        if self._in_app() >= MOST * self._places:
            return self._places
        now = self._clock()
        return sum(job.holds(now) for job in self._jobs)

    def _may_enter(self, mine: Job) -> bool:
        if self._in_app() >= MOST * self._places:
            return False
        now = self._clock()
        taken = sum(job.phase == APP and job.holds(now) for job in self._jobs if job is not mine)
        return taken < self._places

    def _in_app(self) -> int:
        # The worker leaves when some are stuck: who waits is answered beside them.
        return sum(job.phase == APP and not job.stuck for job in self._jobs)
