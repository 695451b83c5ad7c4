"""benchmarks/failsafe: when requests come, and what is told of their answers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("cells", "report", "servers", "tree", "app")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """cells.py and report.py; their names are free again afterwards."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "failsafe"))
    yield importlib.import_module("cells"), importlib.import_module("report")
    for name in NAMES:
        del sys.modules[name]


def test_one_of_a_hundred_is_bad_at_the_same_moments_for_all(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    """Good and bad together are the whole rate; no moment has two; a seed gives one schedule."""
    cells, _ = modules
    plan = cells.Plan(seconds=20, tail=5, rate=50)
    fault = cells.Fault("two", "two kinds", ("lock", "gil"))
    good, bad = cells.schedule(plan, fault)
    assert [kind for _, kind in bad] == ["lock", "gil"] * 5
    assert len(good) == 50 * 25 - 10
    assert not {at for at, _ in bad} & set(good)
    assert all(1 <= at < 19 for at, _ in bad)
    assert cells.schedule(plan, fault) == (good, bad)
    assert cells.schedule(plan, cells.Fault("clean", ""))[1] == []


def test_what_is_not_served_counts_in_its_second(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    """Percentages are of good requests of the fault's seconds; the tail is judged by itself."""
    cells, _ = modules
    plan = cells.Plan(seconds=4, tail=3, rate=10)
    answers = [(n / 10, None if n in {21, 22} else 0.002, "200") for n in range(70)]
    answers[21] = (2.1, None, "timeout")
    answers[22] = (2.2, None, "empty")
    found = cells.judged(answers, plan)
    assert (found["good"], found["served"], found["percent"]) == (40, 38, 95.0)
    assert (found["worst"], found["after"]) == (80.0, 100.0)
    assert found["answers"] == "200 38, empty 1, timeout 1"
    assert found["lost"] == "2 at 2 s"
    answers[69] = (6.9, None, "timeout")
    assert cells.judged(answers, plan)["after"] == 95.0


def test_hundred_is_told_of_all_and_of_nothing_less(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    """One lost of a hundred thousand is not 100 %."""
    cells, report = modules
    plan = cells.Plan(seconds=1, tail=0, rate=100_000)
    answers = [(n / 100_000, 0.001 if n else None, "200") for n in range(100_000)]
    percent = cells.judged(answers, plan)["percent"]
    assert percent < 100
    assert report.percent(percent) == "99.99 %"
    assert report.percent(100.0) == "100 %"


def test_the_heat_map_is_well_formed_and_has_a_square_for_each_cell(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    """It says in words what it shows, and has both colour schemes."""
    cells, report = modules
    results = [
        cells.Result("luggage", "lock", 15, 50, percent=100.0, p99=12.0),
        cells.Result("gunicorn", "lock", 15, 50, percent=16.2, p99=None),
        cells.Result("uwsgi", "lock", 15, 50, error="no page"),
    ]
    text = report.svg(report.by_place(results))
    root = ElementTree.fromstring(text)
    assert len(root.findall(f"{SVG}rect")) == 3
    assert root.findtext(f"{SVG}desc") == (
        "wedged: a lock twice: luggage 100 %, gunicorn 16.2 %, uWSGI, tuned no start."
    )
    assert "prefers-color-scheme: dark" in text


def test_the_table_goes_to_its_place_and_nowhere_else(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    """A page without the two marks is refused."""
    _, report = modules
    page = "a\n<!-- benchmarks/failsafe -->\nold\n<!-- /benchmarks/failsafe -->\nb\n"
    assert report.placed(page, "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no place"):
        report.placed("a\nb\n", "new")


def test_a_pattern_that_names_no_cell_is_refused(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    """A misspelt fault does not pass for a run in which nothing went wrong."""
    cells, _ = modules
    names = [
        (server.name, fault.name) for server, fault in cells.chosen(["luggage/mix-*", "/lock"])
    ]
    assert ("luggage", "mix-all") in names
    assert ("waitress", "lock") in names
    assert ("waitress", "mix-all") not in names
    with pytest.raises(SystemExit, match="luggage/lokc"):
        cells.chosen(["luggage/lokc"])
