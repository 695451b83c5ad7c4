"""Bytes → a descriptor whose reader may be slow, or may never read: nobody here waits for it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import threading
from collections import deque

LIMIT = 4 << 20  # bytes that wait for the reader
ATONCE = 1 << 16  # bytes: what a pipe holds


class Writer:
    """Call it with bytes: they are queued, and written to `descriptor` by a thread of its own.

    Where more than `limit` bytes would wait, it returns False and forgets what it was given, until
    half of them are gone; what comes while nothing waits is always taken. To set O_NONBLOCK instead
    would change the terminal, or the pipe, for everyone who has it. An error, such as of a closed
    pipe or a full disk, loses what was being written: a lost log must not stop the processes. How
    many lines that were, `missed` tells.
    """

    def __init__(self, descriptor: int, limit: int = LIMIT) -> None:
        self._descriptor = descriptor
        self.limit = limit
        self._queue: deque[tuple[bytes, int]] = deque()  # bytes, and how many lines they stand for
        self._waiting = 0  # bytes, with what is being written
        self._missed = 0  # lines
        self._full = False
        self._change = threading.Condition()
        threading.Thread(target=self._work, daemon=True, name="log").start()

    def __call__(self, data: bytes, lines: int | None = None) -> bool:
        """Whether `data` will be written. It stands for as many lines as it has, or for `lines`:
        where it tells that some are lost, they are lost with it."""
        with self._change:
            # Only what is written makes room again: it must not be full while nothing waits.
            if self._full or (self._waiting and self._waiting + len(data) > self.limit):
                self._full = True
                return False
            self._queue.append((data, data.count(b"\n") if lines is None else lines))
            self._waiting += len(data)
            self._change.notify_all()
            return True

    @property
    def waiting(self) -> int:
        """The bytes that wait."""
        return self._waiting

    def missed(self) -> int:
        """The lines that were taken and then could not be written, since this was asked last; with
        those of `miss`."""
        if not self._missed:
            return 0
        with self._change:
            missed, self._missed = self._missed, 0
            return missed

    def miss(self, lines: int) -> None:
        """Count lines that it did not take, and of which nobody else will tell."""
        with self._change:
            self._missed += lines

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written, but not longer than `seconds`; whether it is."""
        with self._change:
            return self._change.wait_for(lambda: not self._waiting, seconds)

    def _work(self) -> None:
        # The main thread's: it forks, and is woken by them.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        much = False
        while True:
            with self._change:
                self._change.wait_for(lambda: self._queue)
                much = much or self._waiting > self.limit // 2
                parts = self._next()
            data = b"".join(part for part, _ in parts)
            written = self._write(memoryview(data))
            with self._change:
                self._missed += _unwritten(parts, written) if written < len(data) else 0
                self._waiting -= len(data)
                if self._waiting <= self.limit // 2:
                    self._full = False
                over = much and not self._waiting
                self._change.notify_all()
            if over:
                much = False
                _give_back()

    def _next(self) -> list[tuple[bytes, int]]:
        """What waits, but not much more than ATONCE."""
        parts, size = [], 0
        while self._queue and size < ATONCE:
            parts.append(self._queue.popleft())
            size += len(parts[-1][0])
        return parts

    def _write(self, data: memoryview) -> int:
        """How many bytes of `data` could be written."""
        written = 0
        while written < len(data):
            try:
                written += os.write(self._descriptor, data[written:])
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError:
                break
        return written


def _give_back() -> None:
    """Let the system have the memory of what has gone, which glibc keeps otherwise."""
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))


def _unwritten(parts: list[tuple[bytes, int]], written: int) -> int:
    """How many lines of `parts` are not among the first `written` bytes."""
    missed = 0
    for data, lines in parts:
        if written <= 0:
            missed += lines
        elif written < len(data):
            missed += data.count(b"\n", written)
        written -= len(data)
    return missed
