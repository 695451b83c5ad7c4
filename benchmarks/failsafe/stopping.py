"""TERM with a full queue, and reloads under load → how many requests are lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench import Bench, Found, Request
from cells import GIVE_UP
from servers import ROOT, Live

THREADS = 16  # two workers of eight
QUEUED = 60
RATE = 150.0  # requests a second while reloading
PERIOD = 20.0  # seconds of one client
PATIENCE = 60.0  # seconds for one reload


def term(bench: Bench) -> Iterator[Found]:
    """Every thread has a request, 60 more wait, and TERM comes."""
    with bench.started() as live:
        requests = [Request(live.port, "/sleep/1") for _ in range(THREADS + QUEUED)]
        time.sleep(0.5)
        os.kill(live.process.pid, signal.SIGTERM)
        lost = sum(request.wait() != 200 for request in requests)
        name = f"lost on TERM, {THREADS} in flight and {QUEUED} queued"
        yield Found(name, "0", str(lost), lost == 0)


def reload(bench: Bench) -> Iterator[Found]:
    """One reload after the other, while requests come."""
    with bench.started() as live:
        reloads = _Reloads(live, bench)
        thread = threading.Thread(target=reloads.run, daemon=True)
        thread.start()
        count = 0
        lost: Counter[str] = Counter()
        while thread.is_alive():
            answers = _load(live.port)
            count += len(answers)
            lost.update(word for _, _, word in answers if word != "200")
            reloads.enough = count >= bench.requests
        done = f"{lost.total()} of {count:,} in {reloads.done} reloads"
        if lost:
            done += f" ({', '.join(f'{word} {times}' for word, times in lost.items())})"
        if reloads.failed:
            done += f"; then: {reloads.failed}"
        met = not lost and not reloads.failed and count >= bench.requests
        yield Found("lost over reloads under load", f"0 of {bench.requests:,}", done, met)


class _Reloads:
    """`ctl reload`, again and again; `failed` says why no more."""

    def __init__(self, live: Live, bench: Bench) -> None:
        self._live = live
        self._bench = bench
        self.done = 0
        self.failed = ""
        self.enough = False  # requests, so that none is counted while nothing is reloaded

    def run(self) -> None:
        # The first page can be there before the supervisor listens to anybody.
        end = time.monotonic() + PATIENCE
        while self._ctl("status") and time.monotonic() < end:
            time.sleep(0.1)
        while self.done < self._bench.reloads or not self.enough:
            self.failed = self._ctl("reload")
            if self.failed:
                return
            self.done += 1

    def _ctl(self, command: str) -> str:
        """What is wrong, if anything."""
        words = [str(self._bench.python), "-m", "failsafe_deploy", "ctl", command]
        try:
            subprocess.run(
                words,
                cwd=self._live.place.folder,
                env=dict(self._live.environ),
                check=True,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
        except subprocess.CalledProcessError as error:
            return str((error.stderr.strip().splitlines() or [error])[0])
        except subprocess.TimeoutExpired:
            return f"ctl {command} took more than {PATIENCE:.0f} s"
        return ""


def _load(port: int) -> list[tuple[float, float | None, str]]:
    due = [number / RATE for number in range(round(RATE * PERIOD))]
    told = {"port": port, "start": time.monotonic() + 0.5, "due": due, "patience": GIVE_UP}
    client = Path(ROOT, "benchmarks", "failsafe", "client.py")
    words = [sys.executable, "-I", str(client), "good", json.dumps(told)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    answers: list[tuple[float, float | None, str]] = json.loads(done.stdout)["answers"]
    return answers
