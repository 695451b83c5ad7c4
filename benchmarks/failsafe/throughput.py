"""The same gunicorn with luggage and without → how many requests a second each serves."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import replace

from bench import Bench, Found
from servers import BY_NAME, HOST, Live, gunicorn

CONNECTIONS = 64  # of few kept ones all may have come to one worker, of either
TARGET = 0.97
# The settings that luggage gives gunicorn; it is told in its log, as in luggage's.
SAME = (
    *("--worker-class", "gthread", "--workers", "2", "--threads", "8", "--access-logfile", "-"),
    *("--worker-tmp-dir", "/dev/shm", "--no-control-socket"),
)
PLAIN = replace(BY_NAME["gunicorn"], words=gunicorn(*SAME))


def measured(bench: Bench) -> Iterator[Found]:
    """In turns, A B A B; the median of the pairs' ratios."""
    wrk = shutil.which("wrk")
    if wrk is None:
        yield Found("throughput", f"≥ {TARGET}", "not measured: apt-get install wrk", False)
        return
    for name, header in (("kept connections", []), ("a connection each", ["Connection: close"])):
        ours, plain = [], []
        for _ in range(bench.rounds):
            with bench.started() as live:
                ours.append(_rate(wrk, live, bench.seconds, header))
            with bench.started(PLAIN) as live:
                plain.append(_rate(wrk, live, bench.seconds, header))
        ratio = statistics.median(a / b for a, b in zip(ours, plain, strict=True))
        told = (
            f"{ratio:.3f} ({statistics.median(ours):,.0f} and {statistics.median(plain):,.0f} a "
            f"second, {bench.rounds} pairs)"
        )
        measure = f"throughput beside the same gunicorn, {name}"
        yield Found(measure, f"≥ {TARGET}", told, ratio >= TARGET)


def _rate(wrk: str, live: Live, seconds: float, headers: list[str]) -> float:
    words = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s"]
    words += [word for header in headers for word in ("-H", header)]
    url = f"http://{HOST}:{live.port}/"
    subprocess.run([*words, "-d1s", url], check=True, capture_output=True)
    done = subprocess.run([*words, url], check=True, capture_output=True, text=True)
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", done.stdout)[0])
