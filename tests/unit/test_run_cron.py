"""When a command is due."""

from __future__ import annotations

import calendar
import time

import pytest

from luggage.run.table import cron
from luggage.run.table.cron import Rhythm


def unix(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


@pytest.mark.parametrize(
    ("every", "at", "now", "due"),
    [
        ("1h", None, "2026-03-29 02:59:59", "2026-03-29 03:00:00"),
        ("1h", None, "2026-03-29 03:00:00", "2026-03-29 04:00:00"),
        ("15m", None, "2026-03-29 03:07:00", "2026-03-29 03:15:00"),
        ("30s", None, "2026-12-31 23:59:31", "2027-01-01 00:00:00"),
        ("1d", None, "2026-03-29 03:07:00", "2026-03-30 00:00:00"),
        ("1d", "03:30", "2026-03-29 03:07:00", "2026-03-29 03:30:00"),
        ("1d", "03:30", "2026-03-29 03:30:00", "2026-03-30 03:30:00"),
        ("2d", "23:59", "1970-01-01 00:00:00", "1970-01-01 23:59:00"),
        ("2d", "23:59", "1970-01-02 00:00:00", "1970-01-03 23:59:00"),
    ],
)
def test_due_times_do_not_depend_on_the_start(every: str, at: str, now: str, due: str) -> None:
    """They are multiples of the time in UTC, so that a restart shifts none."""
    assert cron.shown(cron.parse(every, at).next(unix(now))) == f"{due}Z"


def test_due_times_are_counted() -> None:
    """Those that a clock went past at once, as after a pause."""
    hourly = Rhythm(3600)
    noon = unix("2026-03-29 12:00:00")
    assert hourly.times(noon, noon + 3599.9) == 0
    assert hourly.times(noon, noon + 3600) == 1
    assert hourly.times(noon - 1, noon) == 1
    assert hourly.times(noon, noon + 86_400) == 24
    assert hourly.times(noon, noon - 86_400) == 0, "a clock that was set back"


@pytest.mark.parametrize(
    ("every", "at", "wrong"),
    [
        ("", None, "every '': not a number of"),
        ("0s", None, "every '0s': not"),
        ("1 h", None, "every '1 h': not"),
        ("1w", None, "every '1w': not"),
        ("-1h", None, "every '-1h': not"),
        ("1.5h", None, "every '1.5h': not"),
        ("٣h", None, "every '٣h': not"),
        ("7h", None, "every '7h': neither a part of a day, such as 6h or 8h, nor whole days"),
        ("50m", None, "every '50m': neither a part of a day"),
        ("7s", None, "every '7s': neither a part of a day"),
        ("36h", None, "every '36h': neither a part of a day"),
        ("90000s", None, "every '90000s': neither a part of a day"),
        ("36h", "00:30", "every '36h': neither a part of a day"),
        ("1h", "00:30", "at '00:30': only where"),
        ("24h", "00:30", "at '00:30': only where"),
        ("1d", "24:00", "at '24:00': not a time"),
        ("1d", "3:30", "at '3:30': not a time"),
        ("1d", "03:30:00", "at '03:30:00': not a time"),
    ],
)
def test_what_is_no_rhythm(every: str, at: str | None, wrong: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=f"^{wrong}"):
        cron.parse(every, at)


@pytest.mark.parametrize("every", ["25s", "90s", "45m", "96m", "8h", "24h", "48h", "1d", "7d"])
def test_the_times_of_day_are_the_same_each_day(every: str) -> None:
    """Midnight is one of them, and days have no other."""
    rhythm = cron.parse(every)
    begin = now = unix("2026-03-29 00:00:00") - 1
    found = set()
    while (now := rhythm.next(now)) < begin + 8 * cron.DAY:
        found.add(now % cron.DAY)
    assert sorted(found) == list(range(0, cron.DAY, rhythm.every))
