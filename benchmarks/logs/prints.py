"""`flood FOLDER` → the file FOLDER/printed on stdout, once FOLDER/go is there, as fast as it goes;
`tick FOLDER` → the time on stdout, every few milliseconds."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

PIECE = 65_536  # bytes: what a pipe holds
STEP = 0.005  # seconds


def flood(folder: Path) -> None:
    """A file that is written meanwhile to tell when it began; then nothing, until it is ended."""
    while not (folder / "go").exists():
        time.sleep(0.001)
    data = (folder / "printed").read_bytes()
    (folder / "began.new").write_text(str(time.monotonic()))
    (folder / "began.new").rename(folder / "began")
    for at in range(0, len(data), PIECE):
        sys.stdout.buffer.write(data[at : at + PIECE])
    sys.stdout.buffer.flush()
    os.close(1)  # whatever relays without a supervisor ends
    time.sleep(600)


def tick() -> None:
    """The monotonic clock is the same for all processes."""
    while True:
        time.sleep(STEP)
        print(f"tick {time.monotonic():.6f} tock", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "flood":
        flood(Path(sys.argv[2]))
    else:
        tick()
