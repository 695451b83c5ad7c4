"""What processes have counted, and what the supervisor knows of them → Prometheus's text format.

Each process counts in files of its own (luggage/web/metrics.py). Those of dead processes are merged
into one of each kind, so that they do not pile up and no count is lost.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luggage.run.life.states import State
from luggage.web.figures import dump, entries

if TYPE_CHECKING:
    from prometheus_client import Metric

_FILE = re.compile(r"(counter|histogram|summary|gauge_[a-z]+)_(?:luggage)?([0-9]+)\.db")
_DEAD = "dead"
Figure = tuple[float, float]  # a value and its time


def _sum(one: Figure, other: Figure) -> Figure:
    return one[0] + other[0], 0.0


def _latest(one: Figure, other: Figure) -> Figure:
    return max(one, other, key=lambda it: it[1])


# What is left out ends with its process: `live…` is meant so, and `all` would grow for ever.
_MERGED: Mapping[str, Callable[[Figure, Figure], Figure]] = {
    "counter": _sum,
    "histogram": _sum,
    "summary": _sum,
    "gauge_sum": _sum,
    "gauge_min": min,
    "gauge_max": max,
    "gauge_mostrecent": _latest,
}


@dataclass(frozen=True)
class Facts:
    """What the supervisor knows, at one moment."""

    states: Sequence[State]
    version: Mapping[str, object]
    ready: bool
    healthy: bool
    stopping: bool


class Exposition:
    """The figures in `folder`, of all processes; `say` gets what is wrong with them."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._merged: set[Path] = set()  # and still there
        self._told: set[str] = set()

    def text(self, facts: Facts) -> bytes:
        """The page for Prometheus, in format 0.0.4."""
        # 12 ms, and needed by whoever asks alone.
        from prometheus_client import (  # noqa: PLC0415
            CollectorRegistry,
            ProcessCollector,
            generate_latest,
        )

        registry = CollectorRegistry()
        registry.register(_Families([*_known(facts), *self._counted()]))
        ProcessCollector(namespace="luggage_supervisor", registry=registry)
        return generate_latest(registry)

    def tidy(self) -> None:
        """Merge the files of dead processes. Where there is no room they stay until there is."""
        with contextlib.suppress(OSError):
            dead: dict[str, list[Path]] = {}
            for path in sorted(self._folder.iterdir()):
                found = _FILE.fullmatch(path.name)
                if found and not _lives(int(found[2])):
                    dead.setdefault(found[1], []).append(path)
            for kind, paths in dead.items():
                self._merge(kind, paths)

    def _merge(self, kind: str, paths: Iterable[Path]) -> None:
        rule = _MERGED.get(kind)
        fresh = [path for path in paths if path not in self._merged]
        try:
            if rule is not None and fresh:
                self._add(kind, fresh, rule)
        except OSError as error:
            self._tell(f"metrics of dead processes: stay as they are: {error.strerror}")
            return
        # Counted from here on, in the other file: they must never be counted again.
        self._merged.update(fresh)
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                self._merged.discard(path)

    def _add(
        self, kind: str, paths: Iterable[Path], rule: Callable[[Figure, Figure], Figure]
    ) -> None:
        total = self._folder / f"{kind}_{_DEAD}.db"
        figures: dict[str, Figure] = {}
        for path in [total, *paths] if total.exists() else paths:
            for key, value, stamp in self._read(path):
                figure = value, stamp
                figures[key] = rule(figures[key], figure) if key in figures else figure
        new = total.with_suffix(".new")
        try:
            new.write_bytes(dump(figures))
            new.replace(total)
        except OSError:
            new.unlink(missing_ok=True)
            raise

    def _read(self, path: Path) -> Iterator[tuple[str, float, float]]:
        try:
            for key, value, stamp, _ in entries(path.read_bytes()):
                yield key, value, stamp
        except ValueError as error:
            self._tell(f"metrics {path.name}: left out: {error}")

    def _counted(self) -> Iterable[Metric]:
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        merge: Any = MultiProcessCollector.merge
        self.tidy()
        paths = [it for it in self._folder.glob("*.db") if it not in self._merged]
        try:
            return _others(merge(map(str, paths)))
        except Exception:  # one that cannot be read, or was begun just now
            whole = [path for path in paths if any(True for _ in self._read(path))]
            try:
                return _others(merge(map(str, whole)))
            except Exception as error:
                self._tell(f"metrics: left out: {type(error).__name__}: {error}")
                return []

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._say(text)


class _Families:
    """What prometheus_client takes for a collector."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _known(facts: Facts) -> list[Metric]:
    from prometheus_client.core import (  # noqa: PLC0415
        CounterMetricFamily,
        GaugeMetricFamily,
        InfoMetricFamily,
    )

    def gauge(name: str, about: str, values: Mapping[str, float]) -> Metric:
        family = GaugeMetricFamily(f"luggage_process_{name}", about, labels=["process"])
        for process, value in values.items():
            family.add_metric([process], value)
        return family

    states = facts.states
    starts = CounterMetricFamily(
        "luggage_process_starts",
        "How often it was started; a reload is a start.",
        labels=["process"],
    )
    for it in states:
        starts.add_metric([it.name], it.starts)
    known = {key: str(value) for key, value in facts.version.items() if value is not None}
    return [
        InfoMetricFamily("luggage_build", "What runs, as /-/version has it.", value=known),
        GaugeMetricFamily("luggage_ready", "Whether requests should come here.", facts.ready),
        GaugeMetricFamily("luggage_healthy", "Whether it should be let live.", facts.healthy),
        GaugeMetricFamily("luggage_stopping", "Whether it was told to stop.", facts.stopping),
        gauge("up", "Whether it runs.", {it.name: it.state == "running" for it in states}),
        starts,
        gauge(
            "crash_loop",
            "Whether it dies again and again.",
            {it.name: it.crash_loop for it in states},
        ),
        gauge(
            "since_timestamp_seconds",
            "When its present state began.",
            {it.name: it.since for it in states},
        ),
        gauge(
            "last_beat_timestamp_seconds",
            "When it last told that it goes on.",
            {it.name: it.last_beat for it in states if it.last_beat is not None},
        ),
        gauge(
            "last_exit_timestamp_seconds",
            "When a life of it last ended.",
            {it.name: it.last_exit_at for it in states if it.last_exit_at is not None},
        ),
    ]


def _others(families: Iterable[Metric]) -> list[Metric]:
    """Without those that bear a name of the supervisor's own: twice would spoil the page."""
    taken = ("luggage_process_", "luggage_supervisor_", "luggage_build")
    alone = ("luggage_ready", "luggage_healthy", "luggage_stopping")
    return [it for it in families if not it.name.startswith(taken) and it.name not in alone]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
