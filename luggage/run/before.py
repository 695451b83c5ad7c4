"""Checks and releases of a table, run in their order → whether everything else may start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from luggage.run.steps import Ended, Steps
from luggage.run.table import Process


def passed(wanted: Sequence[Process], steps: Steps, output: Any) -> int | None:
    """None where everything else may start, else the exit status: that of the first that failed.

    All checks are run, at the same time, then the releases, one after another. Those that fail are
    told, with their last lines. Where a signal has come, the status is 0.
    """
    checks = [process for process in wanted if process.kind == "check"]
    releases = [process for process in wanted if process.kind == "release"]
    for some in filter(None, (checks, *([release] for release in releases))):
        names = ", ".join(process.name for process in some)
        output.say(f"{some[0].kind}: {names}")
        ends = steps.run(some)
        if steps.stopped:
            output.say("told to stop: nothing else is started")
            return 0
        failed = [ended for ended in ends if ended.status]
        if failed:
            _tell(failed, output)
            return failed[0].status
    return None


def _tell(failed: Sequence[Ended], output: Any) -> None:
    for ended in failed:
        output.say(f"{ended.process.name}: its last lines were:")
        output.again(ended.process.name)
    for ended in failed:
        output.say(f"error: {ended.process.kind} '{ended.process.name}': {ended.words}")
    output.say("nothing else is started")
