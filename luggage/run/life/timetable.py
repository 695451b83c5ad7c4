"""The time, and the rhythms of a monitor's crons → runs that are begun, or left out and told."""

from __future__ import annotations

from typing import Any

from luggage.run.life.record import Record
from luggage.run.table import cron

STEP = 60.0  # seconds; a clock that is set back by less is waited for, so that nothing runs twice


class Timetable:
    """Begins the runs of `monitor`'s crons, each when it is due and the one before has ended."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor
        self._seen: float = monitor.wall()

    def look(self) -> None:
        """Begin what has become due since the last look.

        Where the clock went past several times that one was due, as after a pause, the last counts,
        and the others are told.
        """
        before, now = self._seen, self._monitor.wall()
        if before - STEP < now < before or self._monitor.closing:
            return
        self._seen = now
        for record in list(self._monitor.records.values()):
            if record.process.rhythm is not None and not record.halted:
                self._due(record, record.process.rhythm, before, now)

    def _due(self, record: Record, rhythm: cron.Rhythm, before: float, now: float) -> None:
        times, last = rhythm.times(before, now), rhythm.last(now)
        if times > 1:
            lost = f"{times - 1} time" + ("s" if times > 2 else "")
            first, until = cron.shown(rhythm.next(before)), cron.shown(last - rhythm.every)
            self._monitor.say(
                f"error: {record.name}: missed {lost}, from {first} to {until}: nothing ran then"
            )
        if times and record.name in self._monitor.protocols:
            self._monitor.say(
                f"error: {record.name}: the run of {cron.shown(last)} is left out: the one before "
                "has not ended"
            )
        elif times:
            self._monitor.start_now(record.name)
