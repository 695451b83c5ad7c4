"""A process's beats → a page of memory → the seconds for which its supervisor has seen none.

A beat is one number more on a page that the process shares with its supervisor, which looks at it
now and then: a beat costs no system call, and wakes nobody.
"""

from __future__ import annotations

import fcntl
import mmap
import os

VARIABLE = "LUGGAGE_HEART_FD"
LOOK = 0.5  # seconds between looks
GAP = 4 * LOOK  # seconds without a look: the supervisor itself did not run
_SIZE = 8
_MOST = 2**64
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW

_mine: dict[str, memoryview | None] = {}


def beat() -> None:
    """Tell the supervisor that this process goes on; without one, nothing happens.

    A loop with `beat=` calls it once a round, wherever it is proved that it goes on.
    """
    if "page" not in _mine:
        _mine["page"] = _inherited()
    page = _mine["page"]
    if page is not None:
        page[0] = (page[0] + 1) % _MOST


def leave() -> None:
    """A forked child's beats are none of its parent's."""
    os.environ.pop(VARIABLE, None)
    _mine["page"] = None


def _inherited() -> memoryview | None:
    text = os.environ.pop(VARIABLE, "")
    try:
        number = int(text)
        # Another process's number, in a variable passed on, would be any file here.
        if fcntl.fcntl(number, fcntl.F_GET_SEALS) != _SEALS or os.fstat(number).st_size != _SIZE:
            return None
        page = mmap.mmap(number, _SIZE)
        os.close(number)
    except (OSError, OverflowError, ValueError):
        return None
    os.register_at_fork(after_in_child=leave)  # it may go on while its parent is stuck
    return memoryview(page).cast("Q")


class Heart:
    """The page of one life, and for how long it has been silent.

    Each life has one of its own: what an earlier one has left behind cannot beat for it. Until the
    first beat `grace` seconds of silence are allowed, then `beat`.
    """

    def __init__(self, beat: float, grace: float) -> None:
        self._beat = beat
        self._grace = grace
        self.silent = 0.0
        self.begun = False
        self.descriptor = os.memfd_create("luggage-heart", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.write(self.descriptor, bytes(_SIZE))
        # Nobody can shorten it, which would kill whoever looks.
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, _SEALS)
        self._page = mmap.mmap(self.descriptor, _SIZE)
        self._seen = bytes(_SIZE)

    @property
    def allowed(self) -> float:
        """Seconds of silence."""
        return self._beat if self.begun else self._grace

    def look(self, passed: float) -> bool:
        """Whether it has beaten since the last look, `passed` seconds ago.

        Where the supervisor itself did not run, as in a container that was paused, or a laptop that
        slept, neither did the process, and the time is not counted.
        """
        now = self._page[:]
        if now != self._seen:
            self._seen = now
            self.begun = True
            self.silent = 0.0
            return True
        if passed <= GAP:
            self.silent += passed
        return False

    def close(self) -> None:
        """Give the page back."""
        self._page.close()
        os.close(self.descriptor)
