"""What the supervisor makes of Twisted's own log."""

from __future__ import annotations

import pytest
from twisted.logger import Logger, LogLevel

from luggage.run import supervise


@pytest.mark.parametrize(
    ("level", "front"),
    [
        (LogLevel.debug, None),
        (LogLevel.info, None),
        (LogLevel.warn, "warning: "),
        (LogLevel.error, "error: "),
        (LogLevel.critical, "error: "),
    ],
)
def test_what_goes_wrong_has_its_level_in_front(level: LogLevel, front: str | None) -> None:
    """So that it is one in JSON as well; of what goes well nothing is told."""
    events: list[dict[str, object]] = []
    log = Logger(observer=events.append)
    try:
        raise RuntimeError("a fault")
    except RuntimeError:
        log.failure("Unhandled error", level=level)
    told = supervise.trouble(events[0])
    if front is None:
        assert told == ""
    else:
        assert told.startswith(f"{front}Unhandled error\nTraceback")
        assert told.rstrip().endswith("a fault")
