"""A process of the table, as it is at this moment → what an operator is told of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class State:
    """What the process `name` does now.

    `kind` is "web", "loop" or "cron". `state` is "starting", "running", "waiting" (to be started
    again), "stopping", "stopped" (by an operator) or "scheduled"; it began at `since`, in seconds
    since 1970, as are all times here. `starts` counts its lives. `last_exit` says in words how the
    last one ended. Where a `needed` one crash-loops, nothing is ready.
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
