"""What is told to stop, but serves on until the balancers have noticed."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
from pathlib import Path

import pytest
from clients import load
from operated import ctl
from running import Running, make, started


def ready(running: Running) -> int:
    """The status that `/-/ready` answers with."""
    try:
        return running.get("/-/ready")[0]
    except urllib.error.HTTPError as error:
        return error.code


def test_it_serves_on_while_it_is_not_ready(tmp_path: Path) -> None:
    """For as long as DRAIN_DELAY says; then it stops as ever, and no request is lost."""
    made = make(tmp_path)
    with started(made, DRAIN_DELAY="10") as running:
        running.wait_for("gunicorn: ready")
        assert ready(running) == 200
        with load(running.port, kept=1, fresh=1) as clients:
            clients.wait_for(5)
            began = time.monotonic()
            running.signal(signal.SIGTERM)
            running.wait_for("signal SIGTERM: stopping")
            running.wait_for("not ready any more; serving on for 10 s")
            assert ready(running) == 503
            clients.wait_for(5)
            told = json.loads(ctl(made, "status", "--json").stdout)
            assert (told["ready"], told["stopping"], told["told"]) == (False, True, "stopping")
            assert running.process.poll() is None
        assert clients.wrong == []
        assert running.wait(60) == 0
        assert running.when("Handling signal: term") - began >= 9.9


def test_a_second_signal_ends_the_delay(tmp_path: Path) -> None:
    """Whoever repeats himself does not want to wait."""
    made = make(tmp_path)
    with started(made, DRAIN_DELAY="3600") as running:
        running.wait_for("gunicorn: ready")
        running.signal(signal.SIGTERM)
        running.wait_for("serving on for 3600 s")
        running.signal(signal.SIGINT)
        running.wait_for("signal SIGINT: stopping now")
        assert running.wait(60) == 0


def test_what_dies_meanwhile_is_started_again(tmp_path: Path) -> None:
    """Requests come still."""
    made = make(tmp_path)
    with started(made, DRAIN_DELAY="3600") as running:
        running.wait_for("gunicorn: ready")
        running.signal(signal.SIGTERM)
        running.wait_for("serving on for 3600 s")
        (pid,) = running.children("gunicorn")
        seen = len(running.lines)
        os.kill(pid, signal.SIGKILL)
        running.wait_for("gunicorn: ready", after=seen)
        assert running.get("/")[0] == 200
        running.signal(signal.SIGTERM)
        assert running.wait(60) == 0


def test_without_a_server_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    """Such as when an operator has stopped it."""
    made = make(tmp_path)
    with started(made, DRAIN_DELAY="3600") as running:
        running.wait_for("gunicorn: ready")
        assert ctl(made, "stop", "gunicorn").returncode == 0
        running.signal(signal.SIGTERM)
        assert running.wait(60) == 0


@pytest.mark.parametrize("text", ["-1", "3601", "soon", "1.5"])
def test_a_delay_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """Before anything is started."""
    made = make(tmp_path)
    with started(made, DRAIN_DELAY=text) as running:
        assert running.wait() == 1
        assert "variable DRAIN_DELAY" in running.text
