"""A container's memory limit → workers that the kernel kills rather than all else, if it must.

gunicorn's master is as large as a worker that has just begun, and whatever a worker has leaked is
given back by its own death alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

LESS = 32 << 20  # bytes that a worker counts for, besides its own
_FILE = "/proc/self/oom_score_adj"
_MOST = 500


class Victims:
    """Made before the process hides itself (`kin.hide`), since it could not open the file then.

    `limit` is the container's, in bytes. Without one nothing is done: in a machine that is short of
    memory as a whole these workers are worth as much as any other process.
    """

    def __init__(self, limit: int | None) -> None:
        self._pid = os.getpid()
        self._file = -1
        self._own = self._theirs = b""
        if limit is None:
            return
        with contextlib.suppress(OSError, ValueError):
            file = os.open(_FILE, os.O_RDWR | os.O_CLOEXEC)
            own = int(os.read(file, 16))
            self._own = str(own).encode()
            self._theirs = str(min(own + -(-LESS * 1000 // limit), max(own, _MOST))).encode()
            self._file = file

    @contextlib.contextmanager
    def forked(self) -> Iterator[None]:
        """What is forked meanwhile is one of them. The process itself is as before, afterwards."""
        self._write(self._theirs)
        try:
            yield
        finally:
            if os.getpid() == self._pid:
                self._write(self._own)

    def leave(self) -> None:
        """In a worker: the file is its master's."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, score: bytes) -> None:
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.pwrite(self._file, score, 0)
