"""The end of a process's current life → its next one, a rest, or the end of everything."""

from __future__ import annotations

from typing import Any

from luggage.run.kernel.ending import status
from luggage.run.life import policy
from luggage.run.life.child import Child
from luggage.run.life.record import Record
from luggage.run.table import cron


def follow(
    monitor: Any, record: Record, child: Child, ended: tuple[int | None, int | None], told: str
) -> None:
    """Decide what comes after `child`, whose exit code and signal are `ended`; and tell it.

    `told` are the words of the end, which stand before those of what follows.
    """
    name, rhythm = record.name, record.process.rhythm
    if not monitor.running or record.halted:
        monitor.say(told + ("; it stays stopped" if monitor.running else ""))
        monitor.enter(record, "stopped")
    elif child.asked and not (rhythm is not None and record.rests):
        monitor.say(f"{told}; starting it again now")
        _wait(monitor, record, 0.0)
    elif rhythm is not None:
        bad = "" if ended == (0, None) or child.asked else "error: "
        monitor.say(f"{bad}{told}; due again at {cron.shown(rhythm.next(monitor.wall()))}")
        monitor.enter(record, "scheduled")
    else:
        news = record.dies(monitor.clock.seconds(), child)
        if news and name in monitor.first:
            monitor.say(f"error: {told}, {news}: a crash loop")
            monitor.enter(record, "stopped")
            monitor.crashed(name, status(*ended))
            return
        pause = record.history.pause
        when = f"in {pause:.1f} s" if pause else "now"
        monitor.say(f"{told}; starting it again {when}")
        if news:
            slowly = f"at last every {policy.CAP:.0f} s"
            monitor.say(f"error: {name}: died {news}: a crash loop; it is tried on, {slowly}")
        _wait(monitor, record, pause)


def watch(monitor: Any, record: Record, child: Child) -> None:
    """Where a process crash-loops, end that when `child` has lived for long."""

    def steady() -> None:
        record.history = record.history.steady()
        monitor.say(f"{record.name}: has run for {policy.WINDOW:.0f} s: no crash loop any more")
        monitor.changed()

    if record.history.crash_loop:
        child.later(policy.WINDOW, steady)


def _wait(monitor: Any, record: Record, pause: float) -> None:
    monitor.waits[record.name] = monitor.clock.callLater(pause, monitor.start_now, record.name)
    monitor.enter(record, "waiting")
