"""What an app answers, piece by piece → the same, whose making has a deadline."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from luggage.web.overdue import DeadlineError, Overdue

if TYPE_CHECKING:
    from luggage.web.timed import Turn


class Parts:
    """What the app answers, piece by piece: its time counts only while it makes one."""

    def __init__(self, answer: Iterable[bytes], turn: Turn) -> None:
        self._answer = answer
        self._parts: Iterator[bytes] = iter(answer)
        self._turn = turn

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        turn = self._turn
        try:
            turn.jobs.resume(turn.job)
            try:
                part = next(self._parts)
            finally:
                turn.jobs.pause(turn.job)
            turn.check()
            turn.job.untold = False
            if part:
                turn.jobs.gave(turn.job)
            return part
        except StopIteration:
            turn.check()
            raise
        except Overdue:
            if turn.job.untold:
                self._parts = iter(())
                told = b"".join(turn.late())
                turn.jobs.gave(turn.job)
                return told
            turn.end(503)
            raise DeadlineError("the response has taken too long") from None
        except BaseException as error:
            turn.fail(error)
            turn.refuse(error)
            raise

    def close(self) -> None:
        """gunicorn calls it at the end, whatever has happened."""
        close = getattr(self._answer, "close", None)
        turn = self._turn
        try:
            if close is not None:
                turn.jobs.gave(turn.job)  # it may take as long again to tidy up
                turn.jobs.resume(turn.job)
                close()
        except Overdue:
            pass
        except BaseException as error:
            turn.refuse(error)
            raise
        finally:
            turn.end()


def is_file(answer: object, wrapper: type) -> bool:
    """Whether the kernel can send it alone: what the app has behind any other is the app's work."""
    if not isinstance(answer, wrapper):
        return False
    try:
        number = cast("Any", answer).filelike.fileno()
        return stat.S_ISREG(os.fstat(number).st_mode)
    except (AttributeError, OSError, ValueError):  # io.UnsupportedOperation is two of these
        return False
