"""Go round and tell that it does, by the heart that its supervisor listens to."""

from __future__ import annotations

import time

from luggage import run

MAIN_OK = True


def main(_argv: list[str]) -> int:
    """Run for ever."""
    run.claim()
    print("begins")
    while True:
        run.beat()
        time.sleep(0.25)
