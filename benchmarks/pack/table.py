"""What was measured → a table, and which targets it meets."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

OURS = "luggage"
FLOOR = "bare"
TITLES = {
    OURS: "luggage",
    "pip": "(a) pip + supervisor",
    "uv": "(b) uv + supervisor",
    "pex": "(c) pex",
    "shiv": "(d) shiv",
    FLOOR: "gunicorn alone",
}


@dataclass
class Result:
    """One subject. Bytes and seconds; a list has a figure for each round."""

    size: int = 0
    compressed: int = 0
    cold: float = 0.0
    rebuild: list[float] = field(default_factory=list)
    push: list[int] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    written: int | None = None
    paths: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Measure:
    """A column: its title, its figure, None where there is none, and how that is told."""

    name: str
    title: str
    of: Callable[[Result], float | None]
    show: Callable[[float], str]


def megabytes(value: float) -> str:
    """Bytes, as people say them."""
    if value < 1e6:
        return f"{value / 1e3:,.0f} kB" if value else "0"
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
    Measure("written", "written", lambda it: it.written, megabytes),
    Measure("cold", "first build", lambda it: it.cold or None, seconds),
)
BY_NAME = {measure.name: measure for measure in MEASURES}


def table(results: Mapping[str, Result]) -> str:
    """A line for each subject; behind a peer's figure, how many times ours it is."""
    ours = results[OURS]
    lines = [f"{'':<22}" + "".join(f"{it.title:>20}" for it in MEASURES)]
    for name, result in results.items():
        cells = []
        for measure in MEASURES:
            value, least = measure.of(result), measure.of(ours)
            cell = "–" if value is None else measure.show(value)
            times = f"{value / least:.1f}×" if value is not None and least else ""
            cells.append(f"{cell:>12}{times if name != OURS else '':>8}")
        lines.append(f"{TITLES[name]:<22}" + "".join(cells))
    return "\n".join(lines)


def targets(results: Mapping[str, Result]) -> Iterator[tuple[str, bool]]:
    """What issue 4 asks for, and whether it is so here."""
    ours = results[OURS]
    others = [it for name, it in results.items() if name not in (OURS, FLOOR)]
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
    yield "writes nothing", ours.written == 0 and not ours.paths


def as_json(results: Mapping[str, Result]) -> dict[str, Any]:
    """For another program: bytes and seconds, every round."""
    return {name: asdict(result) for name, result in results.items()}
