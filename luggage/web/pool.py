"""A worker's turns → threads, or as many of them as the machine gives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


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
