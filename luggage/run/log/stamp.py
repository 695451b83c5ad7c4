"""Unix seconds → the time as every line of the log tells it."""

from __future__ import annotations

import functools
import time


def stamp(seconds: float) -> str:
    """RFC 3339, in UTC, with milliseconds."""
    whole, thousandths = divmod(int(seconds * 1000), 1000)
    return f"{_second(whole)}.{thousandths:03}Z"


@functools.lru_cache(maxsize=4)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
