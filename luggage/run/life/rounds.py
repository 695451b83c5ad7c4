"""What a monitor runs, looked at again and again → silent lives end, and due ones begin."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import LoopingCall

from luggage.run.kernel.heart import LOOK, Heart
from luggage.run.life.child import Child
from luggage.run.life.receiver import guarded
from luggage.run.life.timetable import Timetable

WORDS = 1.0  # seconds to print what all threads do


class Rounds:
    """Looks at what `monitor` runs, every LOOK seconds from `start` to `stop`."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor
        self._at = 0.0
        self._timetable = Timetable(monitor)
        self._call: Any = LoopingCall(guarded(self.look, "rounds", monitor.say))
        self._call.clock = monitor.clock

    def start(self) -> None:
        """From now on."""
        self._at = self._monitor.clock.seconds()
        self._call.start(LOOK, now=False)

    def stop(self) -> None:
        """Not any more."""
        if self._call.running:
            self._call.stop()

    def look(self) -> None:
        """One round."""
        now = self._monitor.clock.seconds()
        passed, self._at = now - self._at, now
        self._timetable.look()
        for life in list(self._monitor.lives):
            if life.heart is not None and not life.asked and not life.why:
                self._listen(life, life.heart, passed)

    def _listen(self, life: Child, heart: Heart, passed: float) -> None:
        if heart.look(passed):
            if life.ready:
                self._monitor.has_beaten(life)
        elif heart.silent > heart.allowed:
            since = "no beat" if heart.begun else "no beat since its start,"
            why = f"{since} for {heart.silent:.1f} s: "
            limit = f"{heart.allowed:g} s are allowed"
            told = f"{life.name}: {why}{limit}; what its threads do, then it is killed"
            self._monitor.say(f"error: {told}")
            life.abort(why, WORDS)
