"""The deaths of a process, one after another → the pause before its next life, or a crash loop.

All that decides stands here; who asks tells when a life ended, and how long it was. Deaths that
somebody asked for are none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST = 0.1  # seconds before the next life, when the last one was short
CAP = 30.0  # seconds that a pause grows to: somebody who mends the cause does not wait for long
SHORT = 5.0  # seconds; the end of a shorter life doubles the next pause
CRASHES = 5  # deaths
WINDOW = 60.0  # seconds; as long a life ends a crash loop
_DOUBLINGS = 20  # more than the cap has


@dataclass(frozen=True)
class History:
    """The deaths of one process so far: `recent` are the times of those within WINDOW seconds,
    `short` and `unready` how many of the last ones ended a short life, or one that was not ready.

    `crash_loop` tells how often it died, and is empty where it is none.
    """

    recent: tuple[float, ...] = ()
    short: int = 0
    unready: int = 0
    crash_loop: str = ""

    def died(self, at: float, lived: float, *, ready: bool = True) -> History:
        """With one death more, at the time `at` (seconds), of a life of `lived` seconds.

        `ready`: whether that life became ready to serve; True for one that does not tell.
        """
        past = self.steady() if lived >= WINDOW else self
        recent = (*(it for it in past.recent if at - it < WINDOW), at)[-CRASHES:]
        unready = 0 if ready else past.unready + 1
        return History(
            recent,
            0 if lived >= SHORT else min(past.short + 1, _DOUBLINGS),
            unready,
            past.crash_loop or _loops(len(recent), unready),
        )

    def steady(self) -> History:
        """With a life that has lasted for WINDOW seconds: no crash loop any more."""
        return replace(self, recent=(), crash_loop="")

    @property
    def pause(self) -> float:
        """Seconds before the next life: none after a long one."""
        return min(FIRST * 2.0 ** (self.short - 1), CAP) if self.short else 0.0


def _loops(recent: int, unready: int) -> str:
    if unready >= CRASHES:
        return f"for the {CRASHES}th time without having become ready"
    if recent >= CRASHES:
        return f"for the {CRASHES}th time within {WINDOW:.0f} s"
    return ""
