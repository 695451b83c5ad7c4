"""What gunicorn's master knows of one worker, and what it does where that stands still."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from luggage.web.slate import HELD, SLOW

STILL = 0.5  # seconds without a sign of life after which a spare stands in for a worker
TELL = 1.0  # seconds of that after which it is told
NICE = 3.0  # seconds of that after which it gets only what processor time nobody else wants
TROUBLES = {0: "", HELD: "held", SLOW: "slow"}
NEWS = {
    "still": f"no sign of life for {TELL:g} s",
    "held": "its requests do not end",
    "slow": "some of its requests compute without an end",
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
