"""Cells → a CSV, a table and a heat map, in which a server is a column and a fault a row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from xml.sax.saxutils import escape

from cells import FAULTS, Result
from servers import SERVERS

Cells = Mapping[tuple[str, str], Result]
MARK = "benchmarks/failsafe"

# Each colour comes with that of the text upon it, so both hold on light pages and on dark ones.
STEPS = ((100.0, "all"), (99.9, "most"), (99.0, "many"), (90.0, "some"), (50.0, "few"), (0.0, "no"))
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.note { font-size: 11px; fill: #59636e }
.ours { font-weight: 600 }
.cell { text-anchor: middle; font-variant-numeric: tabular-nums }
.small { font-size: 10.5px }
.all { fill: #0b6e4f } .most { fill: #4f9d69 } .many { fill: #f2d06b }
.some { fill: #f0a04b } .few { fill: #d9552c } .no { fill: #8c1c13 }
.on-all, .on-no, .on-few { fill: #ffffff }
.on-most, .on-many, .on-some { fill: #111111 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9198a1 }
  .on-all, .on-no, .on-few { fill: #ffffff }
  .on-most, .on-many, .on-some { fill: #111111 }
}
"""
LEFT, TOP, WIDE, HIGH, GAP = 250, 62, 104, 36, 2  # pixels


def write(path: Path, results: Sequence[Result]) -> None:
    """Every figure of every cell."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Result)])
        writer.writeheader()
        for result in results:
            writer.writerow(asdict(result))


def by_place(results: Sequence[Result]) -> Cells:
    """The same, found by server and fault."""
    return {(it.server, it.fault): it for it in results}


def tables(cells: Cells) -> str:
    """Three: what was served and how fast, the worst second and afterwards, and what it cost."""
    return "\n\n".join(
        [
            "Good requests served, and the time within which 99 of 100 of those were:\n\n"
            + table(cells, _served),
            "The worst second, and `!` where the last two of five seconds without faults were "
            "not yet well:\n\n" + table(cells, _worst),
            "Memory at the end (PSS, MiB), `z` zombies, `+` processes left after TERM and the "
            "death of the main process:\n\n" + table(cells, _cost),
        ]
    )


def table(cells: Cells, show: Callable[[Result], str]) -> str:
    """Markdown."""
    columns = [it for it in SERVERS if any(server == it.name for server, _ in cells)]
    head = ["", *(server.title for server in columns)]
    rows = [
        [
            fault.title,
            *(
                show(cells[server.name, fault.name]) if (server.name, fault.name) in cells else "–"
                for server in columns
            ),
        ]
        for fault in FAULTS
        if any(name == fault.name for _, name in cells)
    ]
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = [_line(head, widths)]
    rule = [f"{'-' * (width - 1)}:" for width in widths[1:]]
    lines.append(f"| {'-' * widths[0]} | {' | '.join(rule)} |")
    return "\n".join([*lines, *(_line(row, widths) for row in rows)])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = [
        text.rjust(width) if place else text.ljust(width)
        for place, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return f"| {first} | {' | '.join(rest)} |"


def percent(value: float) -> str:
    """Never rounded up to 100."""
    if value in (0, 100):
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value < 99.95 else f"{value:.2f} %"


def seconds(milliseconds: float | None) -> str:
    """As people say it."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1e3:.1f} s"


def _served(cell: Result) -> str:
    return "no start" if cell.error else f"{percent(cell.percent)}, {seconds(cell.p99)}"


def _worst(cell: Result) -> str:
    return "–" if cell.error else f"{percent(cell.worst)}{'' if cell.recovered else ' !'}"


def _cost(cell: Result) -> str:
    if cell.error:
        return "–"
    zombies = f" {cell.zombies}z" if cell.zombies else ""
    return f"{cell.memory:.0f}{zombies}{f' +{cell.left}' if cell.left else ''}"


def svg(cells: Cells) -> str:
    """The heat map: a cell's colour and text are the share of good requests that were served."""
    columns = [it for it in SERVERS if any(server == it.name for server, _ in cells)]
    rows = [it for it in FAULTS if any(fault == it.name for _, fault in cells)]
    wide, high = LEFT + WIDE * len(columns), TOP + HIGH * len(rows) + 34
    body: list[str] = []
    for number, server in enumerate(columns):
        kind = ' class="cell ours"' if server.name == "luggage" else ' class="cell"'
        x = LEFT + WIDE * number + WIDE / 2
        for line, text in enumerate(_broken(server.title)):
            body.append(f'<text{kind} x="{x:.0f}" y="{24 + 16 * line}">{escape(text)}</text>')
    for number, fault in enumerate(rows):
        y = TOP + HIGH * number
        body.append(
            f'<text x="{LEFT - 10}" y="{y + 22}" text-anchor="end">{escape(fault.title)}</text>'
        )
        for place, server in enumerate(columns):
            if (server.name, fault.name) in cells:
                body += _square(LEFT + WIDE * place, y, cells[server.name, fault.name])
    body.append(
        f'<text class="note" x="0" y="{high - 8}">Good requests served while 1 % of all go wrong; '
        "below, the time within which 99 of 100 of the served were.</text>"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img"'
            f' width="{wide}" height="{high}">',
            "<title>What each server serves while something goes wrong</title>",
            f"<desc>{escape(described(cells))}</desc>",
            f"<style>{STYLE}</style>",
            *body,
            "</svg>\n",
        ]
    )


def _broken(title: str) -> list[str]:
    """A title of two words or more, on two lines."""
    return title.replace(", ", ",\n").replace(" + ", " +\n").split("\n")


def _square(x: int, y: int, cell: Result) -> Iterator[str]:
    step = next(name for limit, name in STEPS if cell.percent >= limit)
    middle = x + (WIDE - GAP) / 2
    yield (
        f'<rect class="{step}" x="{x}" y="{y}" width="{WIDE - GAP}" height="{HIGH - GAP}" rx="3"/>'
    )
    if cell.error:
        yield f'<text class="cell on-{step}" x="{middle:.0f}" y="{y + 21}">no start</text>'
        return
    yield (
        f'<text class="cell on-{step}" x="{middle:.0f}" y="{y + 16}">{percent(cell.percent)}</text>'
    )
    yield (
        f'<text class="cell small on-{step}" x="{middle:.0f}" y="{y + 28}">'
        f"{seconds(cell.p99)}</text>"
    )


def described(cells: Cells) -> str:
    """The same in words, for those who do not see it."""
    parts = []
    for fault in FAULTS:
        told = [
            f"{server.title} {_share(cells[server.name, fault.name])}"
            for server in SERVERS
            if (server.name, fault.name) in cells
        ]
        if told:
            parts.append(f"{fault.title}: {', '.join(told)}.")
    return " ".join(parts)


def _share(cell: Result) -> str:
    return "no start" if cell.error else percent(cell.percent)


def page(cells: Cells) -> str:
    """What docs/failsafe.md shows: the picture, who the servers are, and the tables."""
    servers = [it for it in SERVERS if any(server == it.name for server, _ in cells)]
    rows = [f"| {server.title} | {server.said} |" for server in servers]
    return "\n".join(
        [
            "![A heat map: faults are rows, servers are columns, and each square has the share of "
            "good requests that were served](failsafe.svg)",
            "",
            "| server | started as |",
            "|---|---|",
            *rows,
            "",
            tables(cells),
        ]
    )


def placed(text: str, found: str, mark: str = MARK) -> str:
    """`text` with `found` between its two marks; an error where it has none."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"no place for the table: {begin!r} and {end!r}, once each")
    before, rest = text.split(begin)
    return f"{before}{begin}{found}\n{end}{rest.split(end)[1]}"
