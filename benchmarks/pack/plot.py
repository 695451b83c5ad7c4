"""What was measured → an SVG: small multiples of bars, a panel for each measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from table import BY_NAME, OURS, TITLES, Result

# No background: it stands on light pages and on dark ones.
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.note { fill: #59636e }
.ours { fill: #0969da }
.peer { fill: #afb8c1 }
.inner { fill: #818b98 }
.ours-inner { fill: #0a3069 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9198a1 }
  .ours { fill: #4493f8 }
  .peer { fill: #565f6a }
  .inner { fill: #8b949e }
  .ours-inner { fill: #c6dffc }
}
"""
PANELS = (
    ("size", "Image", "whole bar: as it lies on disk; inner bar: compressed"),
    ("push", "One line changed: bytes to push", "compressed layers that are new, and the config"),
    ("rebuild", "One line changed: time to the image", "./create, or docker build"),
    ("start", "Container start to the first page", "the service that it asks answers at once"),
)
NAME, BAR, ROW, TOP = 150, 170, 22, 52  # widths and heights, in pixels
WIDTH, GAP = 450, 20


def svg(results: Mapping[str, Result]) -> str:
    """The picture; less is better everywhere, and every panel starts at nought."""
    height = TOP + ROW * len(results) + GAP
    body: list[str] = []
    for number, (name, title, note) in enumerate(PANELS):
        x, y = (number % 2) * (WIDTH + GAP), (number // 2) * height
        body.append(f'<g transform="translate({x} {y})">')
        body += [f'<text class="title" y="16">{escape(title)}</text>']
        body += [f'<text class="note" y="34">{escape(note)}</text>']
        body += bars(name, results)
        body.append("</g>")
    wide, high = 2 * WIDTH + GAP, 2 * height - GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img"'
            f' width="{wide}" height="{high}">',
            "<title>luggage beside four peers of the same app</title>",
            f"<desc>{escape(described(results))}</desc>",
            f"<style>{STYLE}</style>",
            *body,
            "</svg>\n",
        ]
    )


def bars(name: str, results: Mapping[str, Result]) -> Iterator[str]:
    """A bar for each subject that has this figure; the longest fills the panel."""
    measure = BY_NAME[name]
    figures = {it: measure.of(result) for it, result in results.items()}
    longest = max((value for value in figures.values() if value is not None), default=1.0)
    shown = [(it, value) for it, value in figures.items() if value is not None]
    for row, (it, value) in enumerate(shown):
        y = TOP + ROW * row
        kind = "ours" if it == OURS else "peer"
        label = measure.show(value)
        # Never less than a hair, or it would look as if nothing was measured.
        yield f'<text x="{NAME - 8}" y="{y + 12}" text-anchor="end">{escape(TITLES[it])}</text>'
        width = max(1.0, BAR * value / longest)
        yield f'<rect class="{kind}" x="{NAME}" y="{y}" width="{width:.1f}" height="16" rx="2"/>'
        if name == "size":
            inner = results[it].compressed
            label += f" / {BY_NAME['compressed'].show(inner)}"
            kind = "ours-inner" if it == OURS else "inner"
            yield (
                f'<rect class="{kind}" x="{NAME}" y="{y + 4}" width="{BAR * inner / longest:.1f}"'
                f' height="8" rx="2"/>'
            )
        yield f'<text x="{NAME + width + 6:.1f}" y="{y + 12}">{escape(label)}</text>'


def described(results: Mapping[str, Result]) -> str:
    """The same in words, for those who do not see it."""
    parts = []
    for name, title, _ in PANELS:
        measure = BY_NAME[name]
        told = [
            f"{TITLES[it]} {measure.show(value)}"
            for it, result in results.items()
            if (value := measure.of(result)) is not None
        ]
        parts.append(f"{title}: {', '.join(told)}.")
    return " ".join(parts)
