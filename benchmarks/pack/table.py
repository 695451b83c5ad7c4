"""What was measured → a table, and which targets it meets."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

OURS = "luggage"
FLOOR = "bare"
MARK = "benchmarks/pack"
BASE = "base"
TITLES = {
    OURS: "luggage",
    "pip": "(a) pip + supervisor",
    "uv": "(b) uv + supervisor",
    "pex": "(c) pex",
    "shiv": "(d) shiv",
    FLOOR: "gunicorn alone",
    BASE: "their Debian alone",
}


@dataclass
class Result:
    """One subject. Bytes and seconds; a list has a figure for each round.

    `written` is beside what an engine keeps in memory anyway; `read_only`: it serves all the same
    where nothing else can be written.
    """

    size: int = 0
    compressed: int = 0
    cold: float = 0.0
    rebuild: list[float] = field(default_factory=list)
    push: list[int] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    written: int | None = None
    paths: list[str] = field(default_factory=list)
    read_only: bool = False


@dataclass(frozen=True)
class Measure:
    """A column: its title, its figure, None where there is none, and how that is told."""

    name: str
    title: str
    of: Callable[[Result], float | None]
    show: Callable[[float], str]
    ratio: bool = True


def megabytes(value: float) -> str:
    """Bytes, as people say them."""
    if value < 1e3:
        return f"{value:.0f} B"
    if value < 1e6:
        return f"{value / 1e3:,.0f} kB"
    return f"{value / 1e6:,.1f} MB"


def seconds(value: float) -> str:
    """Seconds, as people say them."""
    return f"{value:.1f} s" if value >= 1 else f"{value * 1e3:,.0f} ms"


def median(values: list[Any]) -> float | None:
    """None for none."""
    return float(statistics.median(values)) if values else None


MEASURES = (
    Measure("size", "size", lambda it: it.size or None, megabytes),
    Measure("compressed", "compressed", lambda it: it.compressed or None, megabytes),
    Measure("rebuild", "one line → image", lambda it: median(it.rebuild), seconds),
    Measure("push", "one line → push", lambda it: median(it.push), megabytes),
    Measure("start", "start → page", lambda it: median(it.start), seconds),
    Measure("written", "written", lambda it: it.written, megabytes, ratio=False),
    Measure("cold", "first build", lambda it: it.cold or None, seconds, ratio=False),
)
BY_NAME = {measure.name: measure for measure in MEASURES}


def table(results: Mapping[str, Result]) -> str:
    """A line for each subject, as Markdown; behind a peer's figure, how many times ours it is."""
    rows = [["", *(measure.title for measure in MEASURES)]]
    for name, result in results.items():
        rows.append([TITLES[name], *(_cell(it, result, results[OURS]) for it in MEASURES)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(
        1,
        ["-" * (width - bool(column)) + ":" * bool(column) for column, width in enumerate(widths)],
    )
    lines = []
    for row in rows:
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def placed(document: str, told: str) -> str:
    """`document` with `told` between the two marks that it has for it, or as it is."""
    begin, end = f"<!-- {MARK} -->\n", f"<!-- /{MARK} -->"
    before, mark, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    return f"{before}{mark}{told}\n{closed}{after}" if mark and closed else document


def _cell(measure: Measure, result: Result, ours: Result) -> str:
    value, least = measure.of(result), measure.of(ours)
    if value is None:
        return "–"
    if not measure.ratio or result is ours or not least:
        return measure.show(value)
    return f"{measure.show(value)}, {value / least:.1f} ×"


def targets(results: Mapping[str, Result]) -> Iterator[tuple[str, bool]]:
    """What issue 4 asks for, and whether it is so here."""
    ours = results[OURS]
    others = [it for name, it in results.items() if it.rebuild and name != OURS]
    rebuild, start = median(ours.rebuild) or 0.0, median(ours.start) or 0.0
    yield "image at most 80 MB", ours.size <= 80e6
    yield "image at most 30 MB compressed", ours.compressed <= 30e6
    yield (
        "the smallest image",
        all(ours.size < it.size and ours.compressed < it.compressed for it in others),
    )
    yield "a one-line change at most 3 s", rebuild <= 3
    for name in ("pex", "shiv"):
        if name in results:
            theirs = median(results[name].rebuild) or 0.0
            yield f"a one-line change quicker than with {name}", rebuild < theirs
    yield "a one-line change pushes at most 100 kB", (median(ours.push) or 0) <= 100e3
    for name in ("pip", "pex", "shiv"):
        if name in results:
            yield f"starts before {name}", start < (median(results[name].start) or 0.0)
    if FLOOR in results:
        floor = median(results[FLOOR].start) or 0.0
        yield f"starts within 2 × gunicorn alone (here {start / floor:.2f} ×)", start <= 2 * floor
    yield "serves where nothing can be written", ours.read_only
    told = (
        "not measured" if ours.written is None else f"{ours.written} B in {len(ours.paths)} paths"
    )
    yield f"writes nothing where it can (here {told})", (ours.written, ours.paths) == (0, [])


def as_json(results: Mapping[str, Result]) -> dict[str, Any]:
    """For another program: bytes and seconds, every round."""
    return {name: asdict(result) for name, result in results.items()}
