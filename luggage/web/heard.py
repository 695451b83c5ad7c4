"""A pipe on which others have printed → nothing left in it, where its reader comes in time."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import termios
import time

LOOK = 0.005  # seconds between looks
STDERR = 2  # sys.stderr may be another file, or none


def wait(seconds: float, pipe: int = STDERR) -> None:
    """Wait, for at most `seconds`, until all that is in `pipe` has been read.

    What is printed on another pipe after that is read after it. At once where `pipe` is none.
    """
    end = time.monotonic() + seconds
    try:
        if stat.S_ISFIFO(os.fstat(pipe).st_mode):
            while held(pipe) and time.monotonic() < end:
                time.sleep(LOOK)
    except OSError:  # it is closed
        return


def held(pipe: int) -> int:
    """The bytes that are in `pipe`; either end of it knows (FIONREAD, ioctl_pipe(2))."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
