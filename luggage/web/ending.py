"""gunicorn's worker, which leaves or is told to stop → its last answers, and its end."""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections import deque
from typing import Any

from luggage.web.draining import LOOK, DrainingWorker
from luggage.web.jobs import Jobs
from luggage.web.slate import Slate
from luggage.web.watch import Watch

THREADS = 10.0  # seconds that threads of the app have to end, when all is answered
AFTER = 1.0  # seconds that a worker takes longer than its master, who asks where it stands
LARGE = 600.0  # seconds that one has for that which leaves because it is too large
LAST_REQUEST = 2.0  # seconds that a kept connection has for one, when the worker ends


class EndingWorker(DrainingWorker):
    """Ends when it has answered all that it has; what cannot end is not waited for."""

    slate: Slate
    jobs: Jobs
    _queue: deque[Any]
    _watch: Watch

    def _hand_out(self) -> None:
        """Give those that wait to threads: the worker knows how."""

    def handle_quit(self, sig: int, frame: Any) -> None:
        self._end_within(1.0)
        super().handle_quit(sig, frame)

    def leave(self, reason: str) -> None:
        """Take no further request, end when those that are here are answered."""
        self.slate.leave(reason)
        self.alive = False
        self.method_queue.defer(lambda: None)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.ppid, signal.SIGCHLD)  # the master looks at once

    def _finish(self) -> None:
        """Answer what is here; what cannot end is not waited for.

        One that leaves while others serve has no end of its own, unless it is too large: each
        request has its deadline, and each client its silence. When everything stops meanwhile, who
        is in the queue is its own as well: there may be no other worker.
        """
        self._cap_keepalive(time.monotonic() + LAST_REQUEST)
        patience = self.cfg.graceful_timeout + AFTER
        end = time.monotonic() + patience
        if self.slate.leaving:
            end = time.monotonic() + LARGE if self.slate.leaving == "memory" else math.inf
        stops = not self.slate.leaving
        while self.nr_conns > self.jobs.stuck() and time.monotonic() < end:
            if not stops and (self.slate.stopping or os.getppid() != self.ppid):
                stops, end = True, min(end, time.monotonic() + patience)
                DrainingWorker.set_accept_enabled(self, False)
            self._hand_out()
            self.wait_for_and_dispatch_events(LOOK)
            self.murder_keepalived()
            self.murder_pending()
        if self.nr_conns:
            self._watch.telling.acquire(timeout=AFTER)
            lost = self.jobs.lost()
            if lost or self._queue:
                self.log.error(
                    "worker: ends with %d connections that got no whole answer:%s",
                    len(lost) + len(self._queue),
                    "".join(f"\n  {it}" for it in lost if it),
                )
            self.slate.clear()
            self.log.info("Worker exiting (pid: %s)", self.pid)
            self._vanish()
        self.tpool.shutdown(wait=False)
        self._end_within(THREADS)

    def _end_within(self, seconds: float) -> None:
        """Python waits at its end for every thread that is no daemon: for no longer than this."""

        def vanish() -> None:
            time.sleep(seconds)
            self.log.error("worker: a thread of the app does not end: ended without it")
            self._vanish()

        try:
            threading.Thread(target=vanish, daemon=True, name="end").start()
        except RuntimeError:
            self._vanish()

    def _vanish(self) -> None:
        """End now: Python would wait for every thread, and some do not end."""
        with contextlib.suppress(Exception):
            self.cfg.worker_exit(self, self)
        os._exit(0)
