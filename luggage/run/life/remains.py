"""What a dead process has left behind, in its group and at its output → nothing, after a while."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any, Protocol

from luggage.run.kernel import kin

GRACE = 5.0  # seconds from TERM to KILL
SHORT = 1.0  # of these, while everything stops
LOOK = 0.1  # seconds between looks whether the group is gone
GONE = (ProcessLookupError, PermissionError)  # or what is there has become another user's


class Life(Protocol):
    """Whose remains they are, and what it is told of them."""

    def remains_killed(self, seconds: float) -> None: ...

    def remains_shut(self) -> None: ...

    def remains_over(self) -> None: ...


class Remains:
    """What is left of `life`, whose process `leader` is dead: its group, where it led one, and
    whoever has its output.

    `life` is told where something had to be killed, when nobody is waited for any more, so that it
    closes its output, and, once, when all is gone.
    """

    def __init__(self, leader: int, clock: Any, life: Life) -> None:
        self._leader = leader
        self._clock = clock
        self._life = life
        self._since = clock.seconds()
        self._silent = False
        self._is_over = False
        self._limit: Any = None

    def outlive(self, seconds: float) -> None:
        """They may finish what they do, for so long."""
        self._until(seconds)

    def end(self, seconds: float = GRACE) -> None:
        """Ask all of the group to end; what does not is killed so many `seconds` later."""
        self._send(signal.SIGTERM)
        self._until(seconds)

    def silent(self) -> None:
        """Nobody has its output any more; only what never had it can be left in its group."""
        self._silent = True
        self._look()

    def kill(self) -> None:
        """Kill what there is still, and wait no longer."""
        if self._is_over:
            return
        if self._send(signal.SIGKILL):
            self._life.remains_killed(self._clock.seconds() - self._since)
        self._leader = 0
        if self._silent:
            self._look()
        else:
            self._life.remains_shut()

    def _look(self) -> None:
        if self._is_over:
            return
        if self._send(0):
            self._clock.callLater(LOOK, self._look)
            return
        self._is_over = True
        self._until(None)
        self._life.remains_over()

    def _until(self, seconds: float | None) -> None:
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        self._limit = None if seconds is None else self._clock.callLater(seconds, self.kill)

    def _send(self, number: int) -> bool:
        """Whether there is a group, and it got the signal."""
        # Where its number names a process, that is another: no group is left, or the kernel would
        # not have used the number again. And only who led a group has left one of that number.
        if not self._leader or kin.alive(self._leader):
            return False
        with contextlib.suppress(*GONE):
            os.killpg(self._leader, number)
            return True
        return False
