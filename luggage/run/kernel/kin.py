"""Parent and child processes: who dies with whom, takes in orphans, and sees whom (Linux prctl)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import MutableMapping

SUPERVISOR = "LUGGAGE_SUPERVISOR"

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def follow(parent: int) -> None:
    """Get TERM when `parent`, the process that started this one, dies; at once where it is dead.

    The kernel watches the thread that forked: the parent must fork from its main thread.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, as PID 1 is anyway."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def hide() -> None:
    """Keep this process's memory, environment and descriptors from others of the same user.

    The kernel shows them to root alone then (proc(5), ptrace(2)), and no core dump is written.
    Forked children are hidden as well; whatever is executed starts visible, but for its core.
    """
    _prctl(_PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def stand() -> None:
    """Mend what a careless parent has left: closed descriptors, and children that nobody hears of.

    /dev/null is opened where stdin, stdout or stderr is closed, or what is opened next is taken for
    it. Where SIGCHLD is ignored, the kernel throws away how children have ended (wait(2)).
    """
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def alive(pid: int) -> bool:
    """Whether there is such a process; a zombie is one as well."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def join(environ: MutableMapping[str, str]) -> bool:
    """Make this process a good child of the supervisor that `environ` tells of, if there is one.

    It stops when the supervisor dies, and it has a process group of its own, so that Ctrl-C reaches
    the supervisor alone, which then stops everything in order. In any case its lines are written
    as they end, although stdout may be a pipe. Returns whether there is a supervisor.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    supervisor = environ.pop(SUPERVISOR, "")
    if not supervisor.isdigit():
        return False
    with contextlib.suppress(PermissionError):
        os.setpgid(0, 0)
    follow(int(supervisor))
    return True
