"""A place to say lines → a new line there every few seconds, until told to stop."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterable
from itertools import cycle
from types import FrameType

from example_app.client import ServiceError

LINES = (
    "Somebody left the light on in the server room. I waved.",
    "Counted all the bits again. Still only two kinds.",
    "The kettle and I have agreed on a protocol.",
    "It rained on the satellite dish. The news was damp today.",
    "I would like to report that there is nothing to report.",
    "A moth landed on the status light. Uptime: one moth.",
    "I packed light: one file, one key.",
    "Dreamt I was a spreadsheet. Woke up in a cell.",
    "The queue is empty, and so is the biscuit tin.",
    "Today I was asked whether I am a robot. I ticked the box.",
    "The fan is humming. I think it likes this line.",
    "Found a bug. Opened the window. It flew away.",
    "Everything is where I left it, which was unexpected.",
    "Practised small talk with a printer. It jammed.",
    "The clock and I disagree by four milliseconds. We are talking.",
    "A cloud passed. I checked: not one of ours.",
)

log = logging.getLogger(__name__)


def seconds(text: str) -> float:
    """An interval between lines; raises ValueError unless it is 0.1 s to a day."""
    value = float(text)
    if not 0.1 <= value <= 86400:
        raise ValueError("0.1 to 86400 seconds")
    return value


class _Stopped(BaseException):
    """Raised where the robot is, so that it stops at once: asleep, or in the middle of a post."""


class Robot:
    """Says `lines` with `say`, again and again, one every `interval` seconds; before each, `beat`.

    A line that fails is logged and tried again after the same wait. It may then be there twice:
    better than a silent robot.
    """

    def __init__(
        self,
        say: Callable[[str], object],
        interval: float,
        lines: Iterable[str] = LINES,
        beat: Callable[[], object] = lambda: None,
    ) -> None:
        self._say = say
        self._interval = interval
        self._lines = tuple(lines)
        self._beat = beat
        self._stopping = False

    def run(self) -> None:
        """Work until TERM or INT comes, then return. Call it in the main thread."""
        kept = {}
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                kept[number] = signal.signal(number, self._stop)
            for line in cycle(self._lines):
                while not self._said(line) and not self._stopping:
                    time.sleep(self._interval)
                # Asked too, in case the exception was raised where Python drops it (a `__del__`).
                if self._stopping:
                    return
                time.sleep(self._interval)
        except _Stopped:
            pass
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    def _said(self, line: str) -> bool:
        self._beat()
        try:
            self._say(line)
        except ServiceError as error:
            log.warning("not said: %s; trying again in %g s", error, self._interval)
            return False
        log.info("said: %s", line)
        return True

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._stopping:
            self._stopping = True
            raise _Stopped
