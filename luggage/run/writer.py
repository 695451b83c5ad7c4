"""Bytes → a descriptor whose reader may be slow, or may never read: nobody here waits for it."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections import deque

LIMIT = 4 << 20  # bytes that wait for the reader


class Writer:
    """Call it with bytes: they are queued, and written to `descriptor` by a thread of its own.

    Where `limit` bytes wait already, it returns False and forgets what it was given, until half of
    them are gone. To set O_NONBLOCK instead would change the terminal, or the pipe, for everyone
    who has it. An error, such as of a closed pipe, loses what was being written: a lost log must
    not stop the processes.
    """

    def __init__(self, descriptor: int, limit: int = LIMIT) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._queue: deque[bytes] = deque()
        self._waiting = 0  # bytes, with what is being written
        self._full = False
        self._change = threading.Condition()
        threading.Thread(target=self._work, daemon=True, name="log").start()

    def __call__(self, data: bytes) -> bool:
        """Whether `data` will be written."""
        with self._change:
            if self._full or self._waiting + len(data) > self._limit:
                self._full = True
                return False
            self._queue.append(data)
            self._waiting += len(data)
            self._change.notify_all()
            return True

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written, but not longer than `seconds`; whether it is."""
        with self._change:
            return self._change.wait_for(lambda: not self._waiting, seconds)

    def _work(self) -> None:
        # The main thread's: it forks, and is woken by them.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            with self._change:
                self._change.wait_for(lambda: self._queue)
                data = self._queue.popleft()
            self._write(memoryview(data))
            with self._change:
                self._waiting -= len(data)
                if self._waiting <= self._limit // 2:
                    self._full = False
                self._change.notify_all()

    def _write(self, rest: memoryview) -> None:
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError:
                return
