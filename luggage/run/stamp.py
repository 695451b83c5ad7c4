"""Unix seconds → the time as every line of the log tells it."""

from __future__ import annotations

import time


def stamp(seconds: float) -> str:
    """RFC 3339, in UTC, with milliseconds."""
    whole, thousandths = divmod(int(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{thousandths:03}Z"
