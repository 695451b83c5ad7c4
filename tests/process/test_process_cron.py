"""A cron of a real supervisor."""

from __future__ import annotations

import signal
import time

from running import Made, started
from tables import table


def test_it_runs_when_the_clock_says(made: Made) -> None:
    """Every two seconds, at even ones, whenever its supervisor was started."""
    table(made, 'run.Cron("tick", every="2s")', 'run.Loop("spare")', tick='print("now")')
    with started(made) as running:
        end = time.monotonic() + 30
        while running.text.count("tick: exited") < 3 and time.monotonic() < end:
            time.sleep(0.05)
        due = running.wait_for(r"tick: exited with status 0 after .*; due again at .*:(\d\d)Z$")[1]
        assert int(due) % 2 == 0
        assert running.text.count("now") >= 3
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_one_that_runs_is_stopped_with_the_others(made: Made) -> None:
    """TERM ends the run; its successor is not begun."""
    table(made, 'run.Cron("tick", every="1s")', tick='print("begun")\ntime.sleep(1000)')
    with started(made) as running:
        running.wait_for(r"tick +. begun")
        running.wait_for(r"error: tick: the run of .* is left out: the one before has not ended")
        began = time.monotonic()
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert time.monotonic() - began < 20
        assert running.text.count("begun") == 1
