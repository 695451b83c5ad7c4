"""What gunicorn's master knows of one worker, and what it does where that stands still."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from luggage.web.slate import FULL, HELD, SLOW, Served

STILL = 0.5  # seconds without a sign of life after which a spare stands in for a worker
TELL = 1.0  # seconds of that after which it is told
NICE = 3.0  # seconds of that after which it gets only what processor time nobody else wants
TROUBLES = {0: "", HELD: "held", SLOW: "slow", FULL: "full"}
NEWS = {
    "still": f"no sign of life for {TELL:g} s",
    "held": "its requests do not end",
    "slow": "some of its requests compute without an end",
    "full": "slow clients have all its threads",
}


@dataclass
class Look:
    """What the master knows of one worker."""

    beats: int = 0
    silent: float = 0.0  # seconds without a sign of life
    age: float = 0.0
    served: bool = False
    told: str = ""  # what the log says of it already
    nice: bool = False
    dying: float | None = None  # seconds since it was asked for its traceback


def make_nice(pid: int) -> bool:
    """What stands still may still compute: let all others go first. There is no way back."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            os.setpriority(os.PRIO_PROCESS, int(thread), 19)
    return True


def patience(served: Sequence[Served], usual: float) -> float:
    """The seconds that a worker may stand still: the longest deadline of what it serves, or the
    `usual` one where it serves nothing. That counts for who may take for ever, as well: a stream,
    say, which waits like all others while nothing runs."""
    allowed = [it.allowed or usual for it in served] or [usual]
    return max(TELL, *allowed) if all(allowed) else math.inf


def overdue(served: Sequence[Served], silent: float) -> int:
    """How many have had their whole time from a worker that was `silent` for so many seconds, and
    are not told of yet."""
    return sum(0 < it.allowed <= silent and not it.told for it in served)


def told(served: Sequence[Served], now: float) -> str:
    """What a worker serves, for the log."""
    return "".join(f"\n  {it.what}, for {now - it.since:.1f} s" for it in served)
