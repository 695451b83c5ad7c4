"""Workers are the first that the kernel kills where the container's memory runs out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FORKS = """
import os, sys
from luggage.run.kernel import kin
from luggage.web.victims import Victims

def score(pid):
    return int(open(f"/proc/{pid}/oom_score_adj").read())

victims = Victims(eval(sys.argv[1]))
before = score("self")
kin.hide()
with victims.forked():
    pid = os.fork()
    if not pid:
        victims.leave()
        os.read(0, 1)
        os._exit(0)
print(score(pid) - before, score("self") - before)
"""


def scores(limit: int | None) -> list[int]:
    """By how much a forked process counts for more, and its parent afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS, repr(limit)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return [int(word) for word in done.stdout.split()]


def test_a_worker_counts_for_more_than_its_master() -> None:
    """By 32 MiB of the container's limit, in thousandths; the master is as before."""
    assert scores(320 << 20) == [100, 0]
    assert scores(32 << 30) == [1, 0]


def test_no_limit_changes_nothing() -> None:
    """A machine that runs out of memory has no grudge against them."""
    assert scores(None) == [0, 0]
