"""The benchmark's results → its plot and its table."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks" / "pack"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """benchmarks/pack/plot.py and table.py; their names are free again afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    names = ("plot", "table")
    yield importlib.import_module(names[0]), importlib.import_module(names[1])
    for name in names:
        del sys.modules[name]


def test_the_plot_is_well_formed_and_has_a_bar_for_each_figure(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    """It is well-formed XML; bars are as long as their figures say, and none leaves the picture."""
    plot, table = modules
    results = {
        "luggage": table.Result(80, 40, 1, [2.0, 3.0, 9.0], [70], [0.3]),
        "pip": table.Result(160, 60, 1, [1.5], [35], [0.6]),
        "bare": table.Result(start=[0.2]),
    }
    root = ElementTree.fromstring(plot.svg(results))
    wide = float(root.attrib["width"])
    panels = root.findall(f"{SVG}g")
    widths = [
        [float(bar.attrib["width"]) for bar in panel.findall(f"{SVG}rect")] for panel in panels
    ]
    full = plot.BAR
    assert [
        [full / 2, full / 4, full, full * 60 / 160],
        [full, full / 2],
        [full, full / 2],
        [full / 2, full, full / 3],
    ] == [pytest.approx(them, abs=0.1) for them in widths]
    assert max(max(them) for them in widths) + plot.NAME < wide / 2
    assert "luggage 3.0 s" in root.findtext(f"{SVG}desc", "")


@pytest.mark.parametrize(
    ("written", "paths", "told"),
    [
        (0, [], ("writes nothing where it can (here 0 B in 0 paths)", True)),
        (12, ["/a"], ("writes nothing where it can (here 12 B in 1 paths)", False)),
        (0, ["/a"], ("writes nothing where it can (here 0 B in 1 paths)", False)),
        (None, [], ("writes nothing where it can (here not measured)", False)),
    ],
)
def test_what_is_written_is_judged(
    modules: tuple[ModuleType, ModuleType],
    written: int | None,
    paths: list[str],
    told: tuple[str, bool],
) -> None:
    """One byte, or one path, misses the target; and so does what nobody measured."""
    ours = modules[1].Result(written=written, paths=paths)
    assert told in list(modules[1].targets({"luggage": ours}))


def test_the_plot_in_the_documentation_is_well_formed() -> None:
    """docs/performance.svg is XML, and names luggage and every peer."""
    text = (ROOT / "docs" / "performance.svg").read_text()
    root = ElementTree.fromstring(text)
    told = " ".join(element.text or "" for element in root.iter(f"{SVG}text"))
    assert all(name in told for name in ("luggage", "pip", "uv", "pex", "shiv", "gunicorn alone"))


def test_the_table_tells_how_many_times_ours_a_peers_figure_is(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    """A median, in megabytes or milliseconds, and the ratio; what was not measured is a dash."""
    _, table = modules
    results = {
        "luggage": table.Result(80_000_000, 30_000_000, 9, [2.0], [64_000], [0.3]),
        "pip": table.Result(200_000_000, 60_000_000, 5, [1.0], [16_000], [0.6, 0.6, 9.0], 2),
    }
    ours, peer = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.table(results).splitlines()[2:]
    ]
    assert ours == ["luggage", "80.0 MB", "30.0 MB", "2.0 s", "64 kB", "300 ms", "–", "9.0 s"]
    assert peer[1:3] == ["200.0 MB, 2.5 ×", "60.0 MB, 2.0 ×"]
    assert peer[3:] == ["1.0 s, 0.5 ×", "16 kB, 0.2 ×", "600 ms, 2.0 ×", "2 B", "5.0 s"]


def test_the_table_is_put_between_its_marks_and_nowhere_else(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    """What stood there is replaced; a document without the marks is left as it is."""
    _, table = modules
    mark = f"<!-- {table.MARK} -->", f"<!-- /{table.MARK} -->"
    document = f"before\n{mark[0]}\nold\n{mark[1]}\nafter\n"
    assert table.placed(document, "new") == f"before\n{mark[0]}\nnew\n{mark[1]}\nafter\n"
    assert table.placed("no marks\n", "new") == "no marks\n"
    assert all(it in (ROOT / "docs" / "performance.md").read_text() for it in mark)
