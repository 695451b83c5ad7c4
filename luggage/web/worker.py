"""gunicorn's thread worker; its requests have deadlines, and slow clients take no place in it."""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import contextlib
import faulthandler
import logging
import selectors
import signal
import socket
import time
from collections import deque
from concurrent import futures
from typing import Any

from gunicorn.workers import gthread
from gunicorn.workers.gthread import ThreadWorker

from luggage.web import fileless, refusal, request_id, response, silence, unreader
from luggage.web.calls import Calls
from luggage.web.deadlines import Deadlines
from luggage.web.draining import LOOK
from luggage.web.ending import EndingWorker
from luggage.web.job import Job
from luggage.web.jobs import Jobs
from luggage.web.overdue import DeadlineError
from luggage.web.pool import Pool, Turn
from luggage.web.slate import Slate
from luggage.web.timed import Timed
from luggage.web.watch import Watch

FIRST = 5.0  # seconds that a new connection has a thread before it sends anything
TOLD = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Worker(EndingWorker):
    """Takes a connection where one of its `threads` places is free.

    A place is held by what the app does now: not by a client that sends or reads slowly, and no
    longer by a request that has taken a second (luggage/web/jobs.py). When a request cannot be
    ended, the worker leaves: another takes its place at once, and it goes when it has answered all
    else. Made by gunicorn's master, which forks then.
    """

    deadlines_of = Deadlines(0)
    most_memory = 0  # bytes

    def __init__(self, *args: Any, **options: Any) -> None:
        fileless.install()
        response.install()
        super().__init__(*args, **options)
        self.method_queue = Calls()
        self.slate = Slate()
        self.jobs = Jobs(self.cfg.threads, self.slate)
        self._queue: deque[Any] = deque()  # connections with a request, and without a thread
        self._watch = Watch(self.jobs, self.slate, self, most=self.most_memory, log=self.log)

    def get_thread_pool(self) -> futures.ThreadPoolExecutor:
        """More threads than places: clients that are waited for have one each."""
        return Pool(self.jobs.threads, "request")

    def init_signals(self) -> None:
        super().init_signals()
        # The master has held them back since it forked: its own handlers were here until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TOLD)
        # The master asks a worker that stands still for what it is doing; no Python need run. What
        # is enabled already, in the master, is not enabled again.
        faulthandler.disable()
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        with contextlib.suppress(RuntimeError):  # there is no stderr
            faulthandler.enable(all_threads=True)

    def load_wsgi(self) -> None:
        self.log.error_log.addFilter(_not_told)
        self._watch.start()
        super().load_wsgi()
        self.wsgi: Any = Timed(self.wsgi, self.jobs, self.deadlines_of)

    def refuse(self, job: Job) -> None:
        """Tell a client what its request's own thread cannot, as it does not end, nor will."""
        if job.refused:
            refusal.send(job)
        with contextlib.suppress(OSError):
            job.connection.shutdown(socket.SHUT_RDWR)

    def refused(self, job: Job) -> None:
        """Log and count what `refuse` has answered."""
        if job.refused:
            refusal.tell(job, time.monotonic(), self.log)

    def cut_off(self, job: Job) -> None:
        """Wait no longer for a client that has not sent its request."""
        refusal.cut_off(job)

    # -- connections

    def accept(self, listener: Any) -> None:
        # It may have been relieved while the main thread waited for newcomers: others take these,
        # unless everything stops.
        stops = self.slate.stopping or not (self.alive or self.slate.leaving)
        if stops or not self.slate.relieved:
            super().accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        if not conn.initialized:
            silence.limit(conn.sock)
        self._queue.append(conn)
        self._hand_out()

    def _hand_out(self) -> None:
        """A thread for each that waits and may have a place: more would wait for each other."""
        while conn := self._next():
            self.tpool.submit(self._serve, conn)

    def _next(self) -> Any:
        """A connection that gets a place; None where there is none, of the one or the other."""
        if not self._queue or not self.jobs.room():
            return None
        try:
            conn = self._queue.popleft()
        except IndexError:  # another thread has it
            return None
        conn.job = self.jobs.add(conn.sock)
        return conn

    def _serve(self, conn: Any) -> None:
        """In a thread: the turn of one, then of those that wait."""
        while conn:
            kept = False
            try:
                kept = self.handle(conn)
            finally:  # what fails to handle an error is no reason to forget the connection
                self.jobs.remove(conn.job)
                self.method_queue.defer(self.finish_request, conn, Turn(kept))
            conn = self._next()

    def handle(self, conn: Any) -> Any:
        request_id.CURRENT.set(None)  # this thread's last request is another's
        self.jobs.arrive(conn.job)
        try:
            if not conn.initialized and not conn.data_ready:
                conn.data_ready = silence.ends(conn.sock, FIRST)
                if not conn.data_ready:
                    return gthread._DEFER
            unreader.attend(conn, self.jobs)
            return super().handle(conn)
        except BaseException as error:  # it would be raised in the main thread, and end the worker
            self.jobs.leave(conn.job)
            self.log.error("worker: a connection is closed: %s: %s", type(error).__name__, error)
            return False

    # -- the main thread

    def run(self) -> None:
        self.poller.register(
            self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks
        )
        self.slate.serve()
        self.set_accept_enabled(True)
        while self.alive:
            self._hand_out()
            able = (
                self.nr_conns < self.worker_connections
                and not self.slate.relieved
                and self.may_accept()
            )
            room = able and not self._queue and self.jobs.room()
            self.set_accept_enabled(room)
            self.let_in(0 if room or not able else self.cfg.threads)
            self.wait_for_and_dispatch_events(1.0 if room else LOOK)
            if not self.is_parent_alive():
                break
            self.murder_keepalived()
            self.murder_pending()
        self.set_accept_enabled(False)
        self._finish()

    def set_accept_enabled(self, enabled: bool) -> None:
        if self.slate.leaving and not enabled:
            # Who is in the queue is the other workers'.
            ThreadWorker.set_accept_enabled(self, enabled)
        else:
            super().set_accept_enabled(enabled)


def _not_told(record: logging.LogRecord) -> bool:
    """Not what is told already, nor a client that has gone silent, which is nobody's fault here."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (BlockingIOError, DeadlineError, TimeoutError))
