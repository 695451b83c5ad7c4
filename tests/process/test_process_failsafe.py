"""benchmarks/failsafe: one small cell of it, so that it goes on to run."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
WORDS = [sys.executable, str(ROOT / "benchmarks" / "failsafe"), "--rate", "20", "--tail", "1"]


def environ(folder: Path) -> dict[str, str]:
    """Servers run in folders of their own in `folder`."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}


def inside(folder: Path) -> list[str]:
    """Processes whose working directory is below `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_a_cell_of_luggage_and_one_of_gunicorn(tmp_path: Path) -> None:
    """Both serve good requests while a bad one ends its worker, and nothing of them is left."""
    out = tmp_path / "out"
    only = ["--only", "luggage/exit", "gunicorn/exit", "--seconds", "1", "--out", str(out)]
    done = subprocess.run(
        [*WORDS, *only],
        env=environ(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with (out / "failsafe.csv").open(newline="") as file:
        rows = {row["server"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"luggage", "gunicorn"}
    for row in rows.values():
        assert int(row["good"]) == 19
        assert int(row["served"]) > 0
        assert "sent 1" in row["bad"]
        assert float(row["memory"]) > 1
    assert done.stdout.count("| _exit(9) |") == 3
    ElementTree.parse(out / "failsafe.svg")
    assert not inside(tmp_path)


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """What runs when Ctrl-C comes is ended, clients and server."""
    process = subprocess.Popen(
        [*WORDS, "--only", "luggage/clean", "--seconds", "600", "--out", str(tmp_path / "out")],
        env=environ(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not any("gunicorn" in line for line in inside(tmp_path)) and time.monotonic() < end:
        time.sleep(0.05)
    assert inside(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60)
    assert not inside(tmp_path)
