"""A worker's turns → threads, or as many of them as the machine gives, and what came of each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any


class Pool(ThreadPoolExecutor):
    """Where no further thread can be started, those that are there do all the work.

    The library's own raises then, with the work in its queue already: gunicorn's main thread, which
    is not prepared for that, would end the worker.
    """

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not self._threads:
                raise


@dataclass(frozen=True, slots=True)
class Turn:
    """What has come of a connection's turn, as gunicorn asks a Future for it."""

    kept: Any

    def result(self) -> Any:
        """True where the connection is kept."""
        return self.kept

    def exception(self) -> None:
        """None: a turn that fails is over, and its connection is not kept."""

    def cancelled(self) -> bool:
        """None is."""
        return False
