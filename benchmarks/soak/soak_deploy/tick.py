"""Work for some seconds, as a cron does."""

from __future__ import annotations

import time

from luggage import run

MAIN_OK = True


def main(_argv: list[str]) -> int:
    """One run."""
    run.claim()
    print("works")
    time.sleep(2)
    return 0
