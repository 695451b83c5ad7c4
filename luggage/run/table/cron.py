"""`every="1h"`, `at="03:30"` and the time → when a command is due, whenever its supervisor started.

Times are unix seconds, so days and hours are those of UTC: no hour comes twice or never.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

DAY = 86_400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY}
_EVERY = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_AT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True)
class Rhythm:
    """Due every `every` seconds since 1970-01-01 00:00 UTC, and `at` seconds later each time."""

    every: int
    at: int = 0

    def last(self, now: float) -> int:
        """When it was due last, `now` at the latest."""
        return int((now - self.at) // self.every * self.every + self.at)

    def next(self, now: float) -> int:
        """When it is due next, later than `now`."""
        return self.last(now) + self.every

    def times(self, after: float, now: float) -> int:
        """How often it was due later than `after`, `now` at the latest."""
        return max(0, (self.last(now) - self.last(after)) // self.every)


def parse(every: str, at: str | None = None) -> Rhythm:
    """As it is written in a table; raises ValueError that says what it is not.

    A day is a multiple of `every`, or `every` one of a day: it is due at the same times each day.
    """
    found = _EVERY.fullmatch(every)
    if found is None:
        raise ValueError(f"every {every!r}: not a number of s, m, h or d, such as 30s or 1h")
    rhythm = Rhythm(int(found[1]) * _UNITS[found[2]])
    if DAY % rhythm.every and rhythm.every % DAY:
        # Counted from 1970 on it would be due at other times of day each day.
        raise ValueError(
            f"every {every!r}: neither a part of a day, such as 6h or 8h, nor whole days"
        )
    if at is None:
        return rhythm
    time_of_day = _AT.fullmatch(at)
    if time_of_day is None:
        raise ValueError(f"at {at!r}: not a time of day in UTC, such as 03:30")
    if found[2] != "d":
        raise ValueError(f"at {at!r}: only where it is due every so many days, such as 1d")
    return Rhythm(rhythm.every, int(time_of_day[1]) * 3600 + int(time_of_day[2]) * 60)


def shown(at: float) -> str:
    """A time as it stands in the log: `2026-01-31 03:30:00Z`."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))
