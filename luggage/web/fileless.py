"""gunicorn's file for a worker's sign of life → none: the slate has it (slate.py)."""

from __future__ import annotations

import os

from gunicorn.workers import base


class Fileless:
    """In the place of gunicorn's `WorkerTmp`.

    A file is more than a worker may ask for: where the file system that it lies in has no name
    left, no worker could begin. And the master forgets to close that of a worker which could not
    begin, again and again: so all have one descriptor.
    """

    _number = -1

    def __init__(self, _cfg: object) -> None:
        if Fileless._number < 0:
            Fileless._number = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def notify(self) -> None:
        """The worker goes on."""

    def fileno(self) -> int:
        """gunicorn sees to it that nobody inherits it."""
        return self._number

    def close(self) -> None:
        """The master forgets the worker; others have the descriptor still."""


def install() -> None:
    """From now on, in this process."""
    base.WorkerTmp = Fileless
