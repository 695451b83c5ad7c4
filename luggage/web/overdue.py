"""A thread that has a request too long → the exception that is raised in it."""

from __future__ import annotations

import ctypes
import sys
import traceback
from pathlib import Path

_ENTRANCE = str(Path(__file__).with_name("timed.py"))


class Overdue(BaseException):
    """Raised in the app, wherever it is, when a request has taken longer than it may.

    No Exception, so that an app that goes on after any of these does not go on after this one
    (as asyncio.CancelledError is none).
    """


class DeadlineError(RuntimeError):
    """A response was cut off in its middle, as the app took too long to go on with it."""


class AppError(RuntimeError):
    """The app has raised what gunicorn would not take for an error of this one request."""


def interrupt(thread: int) -> None:
    """Raise Overdue in the thread with the identifier `thread`, at its next Python instruction.

    One that waits in C, for a lock or a socket, comes to no instruction: it goes on to wait.
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Overdue))


def forgive(thread: int) -> None:
    """Take back what `interrupt` has asked for and has not happened yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), None)


def where(thread: int) -> str:
    """What the thread does in the app: a traceback, the innermost call last."""
    frame = sys._current_frames().get(thread)
    if frame is None:
        return "  (it is gone)\n"
    stack = traceback.extract_stack(frame)
    ours = [number for number, it in enumerate(stack) if it.filename == _ENTRANCE]
    return "".join(traceback.format_list(stack[ours[-1] + 1 :] if ours else stack))
