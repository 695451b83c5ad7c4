"""Tell who it is and when it began, and sleep."""

from __future__ import annotations

import os
import time

MAIN_OK = True


def main(_argv: list[str]) -> int:
    """Run for ever."""
    print(f"process {os.getpid()} began at {time.monotonic()}", flush=True)
    while True:
        time.sleep(60)
