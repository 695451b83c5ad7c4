"""What a flood of lines leaves behind in the supervisor."""

from __future__ import annotations

import re
import time
from pathlib import Path

from running import Made, started
from tables import table

MORE = 3 << 10  # KiB; the lines that wait for the log's reader are 4 MiB

FLOOD = """
folder = Path.cwd()
(folder / "here").touch()
while not (folder / "go").exists():
    time.sleep(0.05)
for number in range(100_000):
    print(f"{number:06} {'x' * 90}")
(folder / "flooded").touch()
while True:
    time.sleep(0.1)
    print("goes round")
"""


def _resident(pid: int) -> int:
    """KiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", text)[0])


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, f"no {path.name}"
        time.sleep(0.05)


def test_the_memory_of_a_flood_is_given_back(made: Made) -> None:
    """Nobody reads while far more is printed than is kept; when it is read, all is as before."""
    table(made, 'run.Loop("flood")', flood=FLOOD)
    with started(made, unread=True) as running:
        _wait_for(made.folder / "here")
        time.sleep(1)  # what the supervisor imports last
        before = _resident(running.process.pid)
        (made.folder / "go").touch()
        _wait_for(made.folder / "flooded")
        running.reader.start()
        running.wait_for("lines lost: nobody read the log", seconds=30)
        end = time.monotonic() + 15
        while _resident(running.process.pid) > before + MORE and time.monotonic() < end:
            time.sleep(0.1)
        assert _resident(running.process.pid) <= before + MORE
