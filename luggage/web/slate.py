"""One worker's page of memory that its master can read: signs of life, and what it is serving."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass

REQUESTS = 64  # that are written down; a worker may serve more
# Beats, the master's looks, trouble, serving, relieved, stopping, length of the reason, the reason.
_HEAD = struct.Struct("=QQBBBBB16s")
_LOOKS, _TROUBLE, _SERVING, _RELIEVED, _STOPPING, _REASON = 8, 16, 17, 18, 19, 20
HELD, SLOW, FULL = 1, 2, 3  # troubles
_TEXT = 205
_REQUEST = struct.Struct(f"=ddBB{_TEXT}s")  # since, allowed, told, length of the text, the text
_SIZE = _HEAD.size + REQUESTS * _REQUEST.size


@dataclass(frozen=True)
class Served:
    """A request that a worker has: `what` it is, since when (monotonic clock, seconds), how many
    seconds of the app's time it may take, and whether the worker has told that it is overdue."""

    what: str
    since: float
    allowed: float
    told: bool


class Slate:
    """Made by the master before it forks the worker; the worker writes, the master reads.

    It outlives whatever happens to the worker, so that the master can tell what was being served
    when a worker was killed, or stood still. Nothing in it is ever waited for.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, _SIZE)
        self._free = list(range(REQUESTS))  # threads take from it and give back without a lock
        self._beats = 0

    # -- the worker

    def beat(self, trouble: int = 0) -> None:
        """A sign of life. `trouble`: every place is HELD by a request that does not end; or the
        worker is SLOW, as some of its requests compute without an end; or it is FULL, as clients
        that are waited for have all its threads."""
        self._beats += 1
        struct.pack_into("=Q", self._page, 0, self._beats)
        struct.pack_into("=B", self._page, _TROUBLE, trouble)

    def serve(self) -> None:
        """The app is loaded: requests are taken from now on."""
        struct.pack_into("=B", self._page, _SERVING, True)

    def leave(self, reason: str) -> None:
        """The worker goes when it has finished what it has: another should take its place."""
        text = reason.encode()[:16]
        struct.pack_into("=B16s", self._page, _REASON, len(text), text)

    def begin(self, what: str, since: float, allowed: float) -> int:
        """Write a request down; returns its place for `end`, or -1 where there is none left."""
        try:
            place = self._free.pop()
        except IndexError:
            return -1
        text = _short(what.encode("utf-8", "replace"))
        offset = _HEAD.size + place * _REQUEST.size
        _REQUEST.pack_into(self._page, offset, since, allowed, False, len(text), text)
        return place

    def tell(self, place: int) -> None:
        """The worker has told of the request at `place` that it is overdue, and counted it."""
        if place >= 0:
            struct.pack_into("=B", self._page, _HEAD.size + place * _REQUEST.size + 16, True)

    def clear(self) -> None:
        """The worker ends, and has told itself which requests are lost."""
        for place in range(REQUESTS):
            struct.pack_into("=d", self._page, _HEAD.size + place * _REQUEST.size, 0.0)

    def end(self, place: int) -> None:
        """The request at `place` is over."""
        if place >= 0:
            struct.pack_into("=d", self._page, _HEAD.size + place * _REQUEST.size, 0.0)
            self._free.append(place)

    # -- the master

    @property
    def beats(self) -> int:
        """How many signs of life there were; 0 before the worker has begun."""
        return int(_HEAD.unpack_from(self._page)[0])

    @property
    def trouble(self) -> int:
        """What `beat` was told last."""
        return int(self._page[_TROUBLE])

    @property
    def looks(self) -> int:
        """How often the master has looked: it does so ten times a second, where it can run."""
        return int(_HEAD.unpack_from(self._page)[1])

    def look(self) -> None:
        """The master has looked at the worker once more."""
        struct.pack_into("=Q", self._page, _LOOKS, self.looks + 1)

    @property
    def relieved(self) -> bool:
        """Whether others take the requests of a slow worker: the master says so."""
        return bool(self._page[_RELIEVED])

    def relieve(self, by_others: bool) -> None:
        """Tell the worker that others take its requests, or that it must do so itself."""
        struct.pack_into("=B", self._page, _RELIEVED, by_others)

    @property
    def stopping(self) -> bool:
        """Whether everything stops: there is no other worker to leave anybody to."""
        return bool(self._page[_STOPPING])

    def stop(self) -> None:
        """Tell the worker that everything stops."""
        struct.pack_into("=B", self._page, _STOPPING, True)

    @property
    def serving(self) -> bool:
        """Whether the worker has come so far as to take requests."""
        return bool(self._page[_SERVING])

    @property
    def leaving(self) -> str:
        """Why the worker is leaving; empty where it is not."""
        *_, length, text = _HEAD.unpack_from(self._page)
        return bytes(text[:length]).decode("utf-8", "replace")

    def served(self) -> list[Served]:
        """The requests that the worker has now, or had when it died, oldest first."""
        found = []
        for place in range(REQUESTS):
            since, allowed, told, length, text = _REQUEST.unpack_from(
                self._page, _HEAD.size + place * _REQUEST.size
            )
            if since:
                what = bytes(text[:length]).decode("utf-8", "replace")
                found.append(Served(what, since, allowed, bool(told)))
        return sorted(found, key=lambda it: it.since)

    def close(self) -> None:
        """Give the memory back."""
        self._page.close()


def _short(what: bytes) -> bytes:
    """What fits; where it is too long its middle is left out, since its end is the request's id."""
    if len(what) <= _TEXT:
        return what
    last = what.rpartition(b" ")[2][-_TEXT // 2 :]
    return what[: _TEXT - len(last) - 4] + b"... " + last
