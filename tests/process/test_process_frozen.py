"""gunicorn's master stands still, or dies and leaves workers that do: both are seen and healed."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from running import Made, Running, started


def _gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def _until_gone(running: Running, pid: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not _gone(pid):
        assert time.monotonic() < end, running.text
        time.sleep(0.05)


def test_a_master_that_stands_still_is_replaced(made: Made) -> None:
    """Nobody would look after its workers; the requests that these have are answered."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        [master] = running.children("gunicorn")
        answers: list[tuple[int, str]] = []
        thread = threading.Thread(target=lambda: answers.append(running.get("/slow?20", 60)))
        thread.start()
        time.sleep(0.5)
        before = len(running.lines)
        os.kill(master, signal.SIGSTOP)
        running.wait_for(
            r"gunicorn: no beat for .*: killed by signal 9 \(SIGKILL\)", seconds=60, after=before
        )
        running.wait_for("gunicorn: ready", after=before)
        assert running.get("/")[0] == 200
        assert _gone(master)
        thread.join()
        assert [status for status, _ in answers] == [200]


def test_a_worker_that_stands_still_does_not_outlive_its_master_for_long(made: Made) -> None:
    """kill -9 of the master, whose watchdog it was: it does not stay until everything ends."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        [master] = running.children("gunicorn")
        [worker] = running.children("gunicorn", master)
        before = len(running.lines)
        os.kill(worker, signal.SIGSTOP)
        os.kill(master, signal.SIGKILL)
        running.wait_for("gunicorn: ready", after=before)
        _until_gone(running, worker, 60)
        running.wait_for(r"error: gunicorn: what it has left behind .*: killed", after=before)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
