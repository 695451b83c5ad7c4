"""Words + variables + descriptors → a new process that has these descriptors, and no others.

Twisted's reactor starts all later lives of a process. The first ones start before it is there.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def spawn(
    words: list[str], environ: Mapping[str, str], files: Mapping[int, int], *, group: bool = True
) -> int:
    """The pid of a process with `files`, its own number → the descriptor here, and /dev/null.

    A descriptor above 2 keeps its number. The process leads a `group` of its own, so that Ctrl-C is
    not for it; no signal is blocked or ignored there. Raises OSError.
    """
    null = [] if 0 in files else [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    actions: list[tuple[int, int, str, int, int] | tuple[int, int, int] | tuple[int, int]] = [
        *null,
        *((os.POSIX_SPAWN_DUP2, here, there) for there, here in files.items() if there <= 2),
    ]
    kept = [number for number in files if number > 2]
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        with contextlib.suppress(OSError):
            if number > 2 and number not in kept and os.get_inheritable(number):
                actions.append((os.POSIX_SPAWN_CLOSE, number))
    ignored = [it for it in signal.valid_signals() if signal.getsignal(it) is signal.SIG_IGN]
    leads: dict[str, Any] = {"setpgroup": 0} if group else {}
    before = {number: os.get_inheritable(number) for number in kept}
    try:
        for number in kept:
            os.set_inheritable(number, True)
        return os.posix_spawn(
            words[0],
            words,
            environ,
            file_actions=actions,
            setsigmask=[],
            setsigdef=ignored,
            **leads,
        )
    finally:
        for number, inheritable in before.items():
            os.set_inheritable(number, inheritable)
