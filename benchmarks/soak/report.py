"""Outcomes → a table by kind of fault, and CSV."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from pathlib import Path

from rounds import Outcome

COLUMNS = (
    *("round", "at", "fault", "asked", "lost", "down", "slowest", "held", "back"),
    *("memory", "files", "threads", "wrong"),
)
HEAD = (
    "| fault | count | no answer for: median | worst | back in: median | worst | lost | wrong |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|"
)


def table(outcomes: Sequence[Outcome]) -> str:
    """A line for each kind, in the order in which they came first."""
    kinds: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        kinds.setdefault(outcome.fault.name, []).append(outcome)
    return "\n".join([HEAD, *(_line(name, kinds[name]) for name in sorted(kinds))])


def _line(name: str, them: Sequence[Outcome]) -> str:
    down = [it.down for it in them]
    back = [it.back for it in them if it.back is not None]
    lost = sum(len(it.found.lost) for it in them)
    asked = sum(it.found.asked for it in them)
    times = (
        f"{statistics.median(back):.2f} s | {max(back):.2f} s"
        if len(back) == len(them)
        else "never | never"
    )
    return (
        f"| {name} | {len(them)} | {statistics.median(down):.2f} s | {max(down):.2f} s | "
        f"{times} | {lost} of {asked:,} | {sum(bool(it.wrong) for it in them)} |"
    )


def write(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Each fault, as CSV; times in seconds, memory in KiB."""
    first = min((it.begin for it in outcomes), default=0.0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for it in outcomes:
            seconds = [f"{value:.3f}" for value in (it.down, it.found.slowest, it.held)]
            back = "" if it.back is None else f"{it.back:.3f}"
            size = (it.size.memory, it.size.files, it.size.threads)
            lost = len(it.found.lost)
            head = (it.round, f"{it.begin - first:.1f}", it.fault.name, it.found.asked, lost)
            writer.writerow([*head, *seconds, back, *size, "; ".join(it.wrong)])
