"""Go round, and print that."""

from __future__ import annotations

import time

from luggage import run

MAIN_OK = True


def main(_argv: list[str]) -> int:
    """Run for ever."""
    run.claim()
    number = 0
    while True:
        number += 1
        print(f"round {number}")
        time.sleep(0.5)
