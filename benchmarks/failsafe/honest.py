"""An app that is slow and honest → whether any of its processes is killed for it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from bench import Bench, Found, Request, workers
from servers import Live

PAUSE = 10.0  # seconds for which everything stands still
AFTER = 3.0  # seconds in which a watchdog that is late would still kill


def measured(bench: Bench) -> Iterator[Found]:
    """Each in a luggage of its own, with default settings."""
    for path, name, count in (
        ("/sleep", "sixteen requests that sleep(1)", 16),
        ("/json", "json.loads of 100 MB", 1),
        ("/sum", "sum(range(10**8))", 1),
    ):
        with bench.started() as live:
            before = workers(live)
            statuses = [it.wait() for it in [Request(live.port, path) for _ in range(count)]]
            yield _judged(f"slow but honest: {name}", statuses, before, live)
    with bench.started() as live:
        before = workers(live)
        waiting = Request(live.port, "/sleep/2")
        time.sleep(0.5)
        _pause(live)
        statuses = [waiting.wait(), Request(live.port, "/").wait()]
        yield _judged(f"everything stopped for {PAUSE:.0f} s", statuses, before, live)


def _pause(live: Live) -> None:
    """What `docker pause` does: the parent first, so that none sees the others stop."""
    pids = [process.pid for process in live.tree()]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSE)
    finally:
        for pid in reversed(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _judged(name: str, statuses: list[int | None], before: set[int], live: Live) -> Found:
    time.sleep(AFTER)
    killed = len(before - workers(live))
    answered = sum(status == 200 for status in statuses)
    told = f"{killed} killed, {answered} of {len(statuses)} answered"
    return Found(name, "no kill", told, not killed and answered == len(statuses))
