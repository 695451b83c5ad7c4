"""A server and a fault → what became of the good requests: a cell of the table."""

from __future__ import annotations

import fnmatch
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import tree
from servers import SERVERS, Live, Server, running

HERE = Path(__file__).resolve().parent
SHARE = 100  # one of so many requests is bad
SLOW = 20  # slow clients at once
GIVE_UP = 5.0  # seconds after which a good client does
WARM = 20  # requests before a cell begins
LAST = 2.0  # seconds of the tail in which all must be well again
AHEAD = 0.6  # seconds for the two clients to start
HUNG = 30.0  # seconds more than it should take, for a client


@dataclass(frozen=True)
class Fault:
    """What goes wrong: `kinds`, in turns, are the paths of bad requests; slow clients beside."""

    name: str
    title: str
    kinds: tuple[str, ...] = ()
    uploads: int = 0
    downloads: int = 0


WEDGES = ("lock", "loop", "gil", "regex")
DEATHS = ("segfault", "abort", "exit", "leak")
FAULTS = (
    Fault("clean", "nothing wrong"),
    Fault("cpu", "busy: ten million loops", ("cpu",)),
    Fault("response", "100 kB answers", ("response",)),
    Fault("file", "a file of 50 MB", ("file",)),
    Fault("sleep", "sleep(1)", ("sleep",)),
    Fault("lock", "wedged: a lock twice", ("lock",)),
    Fault("loop", "wedged: while True", ("loop",)),
    Fault("gil", "wedged in C, GIL held", ("gil",)),
    Fault("regex", "wedged: catastrophic regex", ("regex",)),
    Fault("segfault", "segmentation fault", ("segfault",)),
    Fault("abort", "abort()", ("abort",)),
    Fault("exit", "_exit(9)", ("exit",)),
    Fault("leak", "leaks 32 MiB", ("leak",)),
    Fault("upload", "uploads of 1 GB", ("upload",)),
    Fault("slow-uploads", "20 slow uploads", uploads=SLOW),
    Fault("slow-downloads", "20 slow downloads", downloads=SLOW),
    Fault("mix-wedges", "mix: all four wedges", WEDGES),
    Fault("mix-deaths", "mix: deaths and the leak", DEATHS),
    Fault(
        "mix-all",
        "mix: all of these, and 20 slow clients",
        ("lock", "segfault", "gil", "cpu", "loop", "exit", "sleep", "regex", "leak", "file"),
        uploads=SLOW // 2,
        downloads=SLOW // 2,
    ),
)


@dataclass(frozen=True)
class Plan:
    """How long and how hard: seconds of faults, seconds after them, requests a second."""

    seconds: float = 15.0
    tail: float = 5.0
    rate: float = 50.0
    seed: int = 5


@dataclass(frozen=True)
class Result:
    """A cell. Percentages are of good requests; milliseconds of those that were served.

    `worst` is the second with the fewest served; `lost` tells in which seconds any were not.
    `after`: the last two seconds of the tail, in which there are no faults. `left`: processes still
    there after TERM, two seconds, and the death of the main process. `late`: the client's own, 99
    of 100; `client`: the share of a processor that both clients took. `error`: why there is no
    figure.
    """

    server: str
    fault: str
    seconds: float
    rate: float
    good: int = 0
    served: int = 0
    percent: float = 0.0
    p50: float | None = None
    p99: float | None = None
    worst: float = 0.0
    after: float = 0.0
    answers: str = ""
    lost: str = ""
    bad: str = ""
    memory_before: float = 0.0
    memory: float = 0.0
    processes_before: int = 0
    processes: int = 0
    zombies: int = 0
    left: int = 0
    late: float = 0.0
    client: float = 0.0
    error: str = ""

    @property
    def recovered(self) -> bool:
        return self.after == 100.0


def chosen(patterns: Sequence[str]) -> list[tuple[Server, Fault]]:
    """The cells that SERVER/FAULT patterns name, in which either may be left out or have a *.

    Fault by fault, so that what the machine does besides falls on all servers.
    """
    wanted: list[str] = []
    for pattern in patterns or ["*/*"]:
        server, _, fault = pattern.partition("/")
        wanted.append(f"{server or '*'}/{fault or '*'}")
    cells = [
        (server, fault)
        for fault in FAULTS
        for server in SERVERS
        if any(fnmatch.fnmatchcase(f"{server.name}/{fault.name}", it) for it in wanted)
    ]
    for it in wanted:
        if not fnmatch.filter([f"{server.name}/{fault.name}" for server, fault in cells], it):
            sys.exit(f"error: --only {it}: no such cell; --list names them")
    return cells


def schedule(plan: Plan, fault: Fault) -> tuple[list[float], list[tuple[float, str]]]:
    """When the good requests are due, and the bad ones: the same for every server.

    Bad ones are one of SHARE, at random places of the fault's seconds, but for the first and last.
    """
    count = round(plan.rate * plan.seconds)
    due = [number / plan.rate for number in range(count)]
    edge = min(round(plan.rate), count // 4)
    few = max(1, count // SHARE) if fault.kinds else 0
    places = sorted(random.Random(plan.seed).sample(range(edge, count - edge), few))
    kinds = [fault.kinds[number % len(fault.kinds)] for number in range(few)]
    bad = [(due[place], kind) for place, kind in zip(places, kinds, strict=True)]
    taken = set(places)
    good = [at for number, at in enumerate(due) if number not in taken]
    good += [plan.seconds + number / plan.rate for number in range(round(plan.rate * plan.tail))]
    return good, bad


def run(server: Server, fault: Fault, plan: Plan, python: Path, folder: Path) -> Result:
    """Start the server in `folder`, do it all to it, and end it."""
    empty = Result(server.name, fault.name, plan.seconds, plan.rate)
    try:
        with running(server, python, folder) as live:
            for _ in range(WARM):
                live.get("/")
            return _measured(empty, live, fault, plan)
    except (RuntimeError, subprocess.SubprocessError) as error:
        return Result(**{**_values(empty), "error": str(error)})


def _measured(empty: Result, live: Live, fault: Fault, plan: Plan) -> Result:
    due, bad = schedule(plan, fault)
    known = live.tree()
    before = tree.memory(known)
    start = time.monotonic() + AHEAD
    common = {"port": live.port, "start": start}
    good_client = _client("good", {**common, "due": due, "patience": GIVE_UP})
    bad_client = _client(
        "bad",
        {
            **common,
            "due": bad,
            "until": plan.seconds,
            "uploads": fault.uploads,
            "downloads": fault.downloads,
        },
    )
    time.sleep(max(0.0, start + plan.seconds - 0.2 - time.monotonic()))
    now = live.tree()
    memory = tree.memory(now)
    wrong = _told(bad_client, plan.seconds)
    told = _told(good_client, plan.seconds + plan.tail + GIVE_UP)
    end = live.tree()
    left = live.stop()
    return Result(
        **{
            **_values(empty),
            **judged(told["answers"], plan),
            "bad": _words(wrong["words"]),
            "memory_before": round(before, 1),
            "memory": round(memory, 1),
            "processes_before": len(known),
            "processes": len(end),
            "zombies": sum(process.zombie for process in end),
            "left": left,
            "late": round(_quantile(told["late"], 0.99) * 1e3, 1),
            "client": round(100 * (told["cpu"] + wrong["cpu"]), 1),
        }
    )


def judged(answers: Sequence[tuple[float, float | None, str]], plan: Plan) -> dict[str, Any]:
    """The figures of the good clients' answers: [due, seconds or None, what became of it]."""
    during = [it for it in answers if it[0] < plan.seconds]
    after = [it for it in answers if it[0] >= plan.seconds + max(0, plan.tail - LAST)]
    took = sorted(it[1] for it in during if it[1] is not None)
    each: dict[int, list[bool]] = {}
    for at, seconds, _ in during:
        each.setdefault(int(at), []).append(seconds is not None)
    return {
        "good": len(during),
        "served": len(took),
        "percent": _percent(it[1] is not None for it in during),
        "p50": round(_quantile(took, 0.5) * 1e3, 1) if took else None,
        "p99": round(_quantile(took, 0.99) * 1e3, 1) if took else None,
        "worst": min(_percent(it) for it in each.values()),
        "after": _percent(it[1] is not None for it in after),
        "answers": _words(Counter(it[2] for it in during)),
        "lost": ", ".join(
            f"{count} at {second} s"
            for second, count in sorted(
                Counter(int(it[0]) for it in answers if it[1] is None).items()
            )
        ),
    }


def _client(kind: str, told: dict[str, Any]) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-I", str(HERE / "client.py"), kind, json.dumps(told)]
    return subprocess.Popen(words, stdout=subprocess.PIPE)


def _told(client: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
    try:
        output, _ = client.communicate(timeout=seconds + HUNG)
    finally:
        client.kill()
    if client.returncode:
        raise RuntimeError(f"the client ended with status {client.returncode}")
    found: dict[str, Any] = json.loads(output)
    return found


def _values(result: Result) -> dict[str, Any]:
    return {field.name: getattr(result, field.name) for field in fields(result)}


def _percent(served: Iterable[bool]) -> float:
    all_of = list(served)
    # 100 is said where nothing is missing, and nowhere else.
    share = 100 * sum(all_of) / len(all_of) if all_of else 0.0
    return share if share == 100 else min(99.99, round(share, 2))


def _quantile(values: Sequence[float], share: float) -> float:
    """Of sorted values, the one below or at which that share lies."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
