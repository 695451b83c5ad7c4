"""What happens to requests and workers → figures for Prometheus, in files of each process.

The files are those of prometheus_client's multiprocess mode, so what the app counts with that
library lies beside them and is shown with them (luggage/run/pages/exposition.py). The library
itself is not imported here: it would add 12 ms to a start. No function here raises, and without a
folder none does anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from bisect import bisect_left
from pathlib import Path

from luggage.web.figures import Figures

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable that prometheus_client reads as well
METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, float("inf"))

REQUESTS = "luggage_http_requests"
DURATION = "luggage_http_request_duration_seconds"
OVERDUE = "luggage_http_requests_overdue"
REPLACED = "luggage_workers_replaced"
REASONS = ("boot", "died", "frozen", "memory", "overdue")  # that workers are replaced for
HELP = {
    REQUESTS: "Requests that were answered, by method and status.",
    DURATION: "Seconds from a request's beginning to the end of its answer.",
    OVERDUE: "Requests that missed their deadline.",
    REPLACED: "Web workers that were replaced, by reason.",
}


def key(metric: str, name: str, **labels: str) -> str:
    """A figure's key, as prometheus_client writes it."""
    return json.dumps([metric, name, labels, HELP[metric]], sort_keys=True)


_SUM = key(DURATION, f"{DURATION}_sum")
_BUCKETS = tuple(
    key(DURATION, f"{DURATION}_bucket", le="+Inf" if edge == float("inf") else str(edge))
    for edge in BUCKETS
)
_OVERDUE = key(OVERDUE, f"{OVERDUE}_total")
_REPLACED = {reason: key(REPLACED, f"{REPLACED}_total", reason=reason) for reason in REASONS}


class _Book:
    """The figures of this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pid = os.getpid()
        self.lock = threading.Lock()
        # Apart from the files that prometheus_client writes in the same process.
        self.counts = Figures(str(folder / f"counter_luggage{self.pid}.db"))
        self.durations = Figures(str(folder / f"histogram_luggage{self.pid}.db"))
        self.keys: dict[tuple[str, int], str] = {}
        # A series that is there from the start has a rate when it first counts.
        for it in (_OVERDUE, *_REPLACED.values()):
            self.counts.read_value(it)
        for it in (*_BUCKETS, _SUM):
            self.durations.read_value(it)


_books: list[_Book] = []  # none, or one; changed as a whole, since threads read it meanwhile
_lock = threading.Lock()


def prepare(folder: Path | None) -> None:
    """Count in files in `folder` from now on; a forked child does so as well, in files of its own.

    None: count nothing.
    """
    with _lock:
        if folder is None:
            _books[:] = []
        elif not _books or _books[0].folder != folder or _books[0].pid != os.getpid():
            made: list[_Book] = []
            with contextlib.suppress(Exception):
                made = [_Book(folder)]
            _books[:] = made


def _in_child() -> None:
    """Another thread may have had it when this process was forked."""
    global _lock  # noqa: PLW0603 - a lock cannot be made anew in its place
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_in_child)


def observe(method: str, status: int, seconds: float) -> None:
    """A request was answered with `status`, `seconds` after it began."""
    book = _mine()
    if book is None:
        return
    try:
        name = book.keys.get((method, status)) or _name(book, method, status)
        bucket = _BUCKETS[min(bisect_left(BUCKETS, seconds), len(BUCKETS) - 1)]
        with book.lock:
            book.counts.add(name, 1.0)
            book.durations.add(bucket, 1.0)
            book.durations.add(_SUM, seconds)
    except Exception:
        prepare(None)


def overdue() -> None:
    """A request has missed its deadline."""
    _count(_OVERDUE)


def replaced(reason: str) -> None:
    """A worker was replaced, or will be: `reason` is one of REASONS."""
    _count(_REPLACED.get(reason) or key(REPLACED, f"{REPLACED}_total", reason=reason))


def _count(name: str) -> None:
    book = _mine()
    if book is None:
        return
    try:
        with book.lock:
            book.counts.add(name, 1.0)
    except Exception:
        prepare(None)


def _mine() -> _Book | None:
    for book in tuple(_books):
        if book.pid == os.getpid():
            return book
        prepare(book.folder)
        return next(iter(tuple(_books)), None)
    return None


def _name(book: _Book, method: str, status: int) -> str:
    """A client chooses the method, and must not make a new series with each request."""
    known = method if method in METHODS else "other"
    code = status if 100 <= status <= 599 else 0
    name = key(REQUESTS, f"{REQUESTS}_total", method=known, status=str(code or "other"))
    if method in METHODS and code:
        book.keys[method, status] = name
    return name
