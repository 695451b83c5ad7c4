"""What the monitor knows of a process → a `State`, for whoever shows or asks."""

from __future__ import annotations

from dataclasses import dataclass

# What a process can be: `waiting` for its next try after a death, `stopped` by an operator or at
# the end of everything, `scheduled` where its next run is to come.
STATES = ("starting", "running", "waiting", "stopping", "stopped", "scheduled")


@dataclass(frozen=True)
class State:
    """One process of the table, now. Times are unix seconds.

    `kind` is "web", "loop" or "cron"; `state` one of STATES, and `since` is when it began. `pid` is
    None where nothing runs. `starts` counts lives; a reload begins one. `last_exit` is in words:
    how its last life ended. `last_beat` is None where this life has not told that it goes on
    (`luggage.run.beat`). `needed`: nothing is ready while it crash-loops.
    """

    name: str
    kind: str
    state: str
    pid: int | None
    since: float
    starts: int
    crash_loop: bool
    last_exit: str | None
    last_exit_at: float | None
    last_beat: float | None
    needed: bool
