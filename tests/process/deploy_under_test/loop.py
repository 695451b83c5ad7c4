"""Tell that it goes round, twice a second; what LOOP_DOES names, it does first."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

from deploy_under_test import config
from luggage import run
from luggage.run import logs

MAIN_OK = True


def main(argv: list[str]) -> int:
    run.claim(os.environ)
    secret = config.SECRETS.open()["CANARY"].reveal()
    print(f"the secret has {len(secret)} letters, in pid {os.getpid()}")
    does = os.environ.get("LOOP_DOES", "")
    if does == "long lines":
        print("a" * 20_000)
        print("é" * 500_000)
        print("after the long lines")
    elif does == "flood":
        for number in range(100_000):
            print(f"{number:06} {'x' * 90}")
        Path("flooded").touch()
    elif does == "tell":
        print(f"it was given: {os.environ['APP_PASSWORD']}")
    elif does == "log":
        logs.configure(os.environ)
        while True:
            logging.getLogger("loop").debug("to the letter")
            logging.getLogger("loop").info("goes round")
            time.sleep(0.1)
    elif does == "orphans":
        # Each shell leaves a child behind that dies soon after it.
        for _ in range(20):
            subprocess.run(["/bin/sh", "-c", "sleep 5 &"], check=True)
    elif does == "die":
        sys.stdout.write("last words, without a line end")
        return 7
    while True:
        print("goes round")
        time.sleep(0.5)
