"""What threads have for the main thread → calls that it makes."""

# gunicorn's untyped class is extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.workers.gthread import PollableMethodQueue

WAKES = 4096  # more than are ever written


class Calls(PollableMethodQueue):
    """Many calls wake the main thread once.

    gunicorn's own writes to its pipe for each. A write gives the interpreter's lock away, and so
    threads take turns far more often than their work needs.
    """

    def init(self) -> None:
        super().init()
        self._woken = False

    def defer(self, callback: Callable[..., object], *args: Any) -> None:
        self._queue.put(partial(callback, *args))
        if not self._woken:
            self._woken = True
            with contextlib.suppress(OSError):
                os.write(self._write_fd, b"\0")

    def run_callbacks(self, _fileobj: object, max_callbacks: int = 50) -> None:
        """Make the calls that are there; who has one from now on wakes the main thread again."""
        with contextlib.suppress(OSError):
            os.read(self._read_fd, WAKES)
        self._woken = False
        try:
            for _ in range(self._queue.qsize()):
                self._queue.get_nowait()()
        except BaseException:
            self.defer(_nothing)  # those that are left are not forgotten
            raise


def _nothing() -> None:
    """Only wakes."""
