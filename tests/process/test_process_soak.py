"""benchmarks/soak: some seconds of it, so that it goes on to run."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = [sys.executable, str(ROOT / "benchmarks" / "soak"), "--seed", "28", "--minutes", "0.1"]


def soak(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it with all its files in `folder`; however slow this machine is."""
    return subprocess.run(
        [*WORDS, "--slack", "60", "--out", str(folder / "out"), *words],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


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


def test_what_is_killed_heals_in_every_round(tmp_path: Path) -> None:
    """A loop dies where the log is read, and where it has no reader: it is back, and told."""
    done = soak(tmp_path, "--only", "kill plain loop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every fault healed, and was told." in done.stdout
    with (tmp_path / "out" / "soak.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"usual", "closed"} <= {row["round"] for row in rows}
    assert all(int(row["asked"]) > 0 and row["back"] and not row["wrong"] for row in rows)
    assert not inside(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_what_does_not_heal_is_found(tmp_path: Path) -> None:
    """The verdict is a status of 1, where a process is not there any more."""
    done = soak(tmp_path, "--only", "control: loop stopped", "--heal", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "plain is stopped" in done.stdout
    assert not inside(tmp_path)
