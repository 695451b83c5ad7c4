"""Wait for ever."""

from __future__ import annotations

import os
import time

from luggage import run

MAIN_OK = True


def main(argv: list[str]) -> int:
    run.claim(os.environ)
    print("spare is there")
    while True:
        time.sleep(60)
