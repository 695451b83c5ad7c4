"""How long a stop may take, as the documents tell the engine: one number, wherever it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from luggage.commands import start
from luggage.run.life import stopping
from luggage.run.life.monitor import Monitor
from luggage.run.operate import leaving

ROOT = Path(__file__).resolve().parent.parent.parent
ENOUGH = 80  # seconds, beside DRAIN_DELAY
TOLD = r"(?:--stop-timeout|stop -t|stop_grace_period:|TimeoutStopSec=) ?([0-9]+)"


def test_the_engine_is_to_wait_for_all_that_luggage_waits_for() -> None:
    """The web server that starts, its end, everything else's, and the last lines; not much more."""
    web = Monitor.killTime + 1  # stopping.py
    others = Monitor.killTime + stopping.LAST_WORDS
    longest = leaving.PATIENCE + web + others + start.LAST_LINES
    assert longest <= ENOUGH < longest + 5


@pytest.mark.parametrize("name", ["README.md", "images.md", "operations.md", "systemd.md"])
def test_each_document_tells_the_same(name: str) -> None:
    """Those without a DRAIN_DELAY; Kubernetes' example has ten seconds of it."""
    text = (ROOT / ("." if name == "README.md" else "docs") / name).read_text()
    assert {int(told) for told in re.findall(TOLD, text)} == {ENOUGH}
    if name == "images.md":
        delay = re.search(r"DRAIN_DELAY, value: \"([0-9]+)\"", text)
        grace = re.search(r"terminationGracePeriodSeconds: ([0-9]+)", text)
        assert delay and grace and int(grace[1]) == int(delay[1]) + ENOUGH
