"""What is killed, wedged or orphaned → how soon it is well again, and what that takes."""

from __future__ import annotations

import os
import re
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import tree
from bench import Bench, Found, Request, workers
from servers import BY_NAME, Live, Place

PAUSE = 5.0  # seconds between two deaths, so that each is the first for the back-off
FEW = 4  # deaths of one process; a fifth within a minute would be a crash loop
DEADLINE = 3  # seconds
ORPHANS = 1_000
SETTLED = 3.0  # seconds
NEVER = 30.0  # seconds after which nothing more is waited for


def _with_loop(place: Place) -> list[str]:
    return [*BY_NAME["luggage"].words(place), "loop"]


LOOPS = replace(BY_NAME["luggage"], words=_with_loop)


def back(bench: Bench) -> Iterator[Found]:
    """kill -9, and the time to the next answer, or to the loop's next first line.

    With one worker: with more, another answers at once.
    """
    for name, target, once in (
        ("killed worker", 0.05, _worker),
        ("killed gunicorn master", 0.25, _master),
        ("killed loop", 0.5, _loop),
    ):
        times: list[float] = []
        while len(times) < bench.rounds:
            with bench.started(LOOPS, WEB_CONCURRENCY="1") as live:
                for _ in range(min(FEW, bench.rounds - len(times))):
                    time.sleep(PAUSE)
                    times.append(once(live))
        yield _timed(f"{name} back in", target, times)


def _worker(live: Live) -> float:
    pid = int(live.get("/pid") or 0)
    os.kill(pid, signal.SIGKILL)
    return _answered(live, lambda text: int(text) != pid)


def _master(live: Live) -> float:
    found: list[int] = []
    end = time.monotonic() + NEVER
    while not found:  # a stand-in that is needed no more may answer, and go
        if time.monotonic() > end:
            raise RuntimeError(f"no worker, although {NEVER:.0f} s have passed")
        pid = int(live.get("/pid") or 0)
        found = [it.parent for it in live.tree() if it.pid == pid]
    os.kill(found[0], signal.SIGKILL)
    # The orphaned worker may still finish its requests, and answer.
    return _answered(live, lambda text: int(text) != pid)


def _answered(live: Live, new: Callable[[str], bool]) -> float:
    began = time.monotonic()
    while time.monotonic() < began + NEVER:
        text = live.get("/pid")
        if text and new(text):
            return time.monotonic() - began
        time.sleep(0.001)
    return NEVER


def _loop(live: Live) -> float:
    known = _lives(live, 1)
    began = time.monotonic()
    os.kill(known[-1][0], signal.SIGKILL)
    return _lives(live, len(known) + 1)[-1][1] - began


def _lives(live: Live, count: int) -> list[tuple[int, float]]:
    """Each life of the loop, its pid and its beginning, when there are `count` of them."""
    end = time.monotonic() + NEVER
    while time.monotonic() < end:
        found = re.findall(r"process (\d+) began at ([\d.]+)", live.log.read_text())
        if len(found) >= count:
            return [(int(pid), float(at)) for pid, at in found]
        time.sleep(0.005)
    raise RuntimeError(f"no loop, although {NEVER:.0f} s have passed")


def wedge(bench: Bench) -> Iterator[Found]:
    """One request wedges a server whose deadline is short: when its client is told, and it gone."""
    kinds = (("lock", 0.3), ("loop", 0.3), ("gil", None), ("regex", None))
    for kind, target in kinds:
        with bench.started(REQUEST_DEADLINE=str(DEADLINE)) as live:
            before = workers(live)
            request = Request(live.port, f"/{kind}")
            told = died = None
            end = time.monotonic() + DEADLINE + NEVER
            while time.monotonic() < end and (told is None or died is None):
                told = told or (request.ended if request.over else None)
                if died is None and any(tree.gone(pid) for pid in before):
                    died = time.monotonic()
                if told and time.monotonic() > told + SETTLED:
                    break
                time.sleep(0.005)
            yield _freed(kind, target, request, told, died)


def _freed(
    kind: str, target: float | None, request: Request, told: float | None, died: float | None
) -> Found:
    name = f"wedge ({kind}) gone after the deadline +"
    if told is None:
        return Found(name, _seconds(target), "never", False)
    over = told - request.began - DEADLINE
    answer = f"answered {request.status}" if request.status else f"connection {request.text}"
    end = f"its worker ended at +{died - request.began - DEADLINE:.2f} s" if died else "worker kept"
    last = max(over, (died or told) - request.began - DEADLINE)
    return Found(
        name, _seconds(target), f"{over:.2f} s, {answer}, {end}", target is None or last <= target
    )


def orphans(bench: Bench) -> Iterator[Found]:
    """An app's child leaves a thousand processes behind, which end."""
    with bench.started() as live:
        Request(live.port, f"/orphans/{ORPHANS}").wait()
        time.sleep(1 + SETTLED)
        # Where the main process took none in, they are ours.
        left = sum(it.zombie for it in tree.below(os.getpid()))
        yield Found(f"zombies left of {ORPHANS:,} orphans", "0", str(left), left == 0)


def memory(bench: Bench) -> Iterator[Found]:
    """The supervisor alone, when it has served and had to restart something."""
    with bench.started(LOOPS) as live:
        _worker(live)
        _loop(live)
        for _ in range(200):
            live.get("/")
        time.sleep(SETTLED)
        text = Path(f"/proc/{live.process.pid}/status").read_text()
        resident = int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1024
        name = "supervisor's resident memory"
        yield Found(name, "≤ 45 MiB", f"{resident:.1f} MiB", resident <= 45)
        whole = tree.memory(live.tree())
        yield Found("the same, and all it runs (PSS)", "–", f"{whole:.0f} MiB", True)


def _timed(name: str, target: float, times: Sequence[float]) -> Found:
    middle, most = statistics.median(times), max(times)
    told = f"{middle * 1e3:.0f} ms (median of {len(times)}; at most {most * 1e3:.0f})"
    return Found(name, f"{target * 1e3:.0f} ms", told, middle <= target)


def _seconds(target: float | None) -> str:
    return "–" if target is None else f"{target} s"
