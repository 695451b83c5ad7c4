"""Entries to add, to drop or to write anew → the cuts they take in the bytes of a module."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from luggage.configfile import plain
from luggage.configfile.model import Entry, Literal, Span, Table

_REST_OF_LINE = re.compile(rb"[ \t\f]*(?:#[^\n]*)?\r?\n")
_BLANKS = re.compile(rb"[ \t]*")
STEP = b"    "


@dataclass(frozen=True)
class Cut:
    """The bytes from `start` to `end`, and those that take their place."""

    start: int
    end: int
    new: bytes = b""


def apply(source: bytes, cuts: Iterable[Cut]) -> bytes:
    """`source` with all `cuts` made; they do not overlap."""
    for cut in sorted(cuts, key=lambda cut: (cut.start, cut.end), reverse=True):
        source = source[: cut.start] + cut.new + source[cut.end :]
    return source


def text(source: bytes, literal: Literal, value: str) -> Cut:
    """Another value between the quotes of `literal`."""
    quote = source[literal.start : literal.start + 1]
    return Cut(literal.start, literal.end, quote + value.encode() + quote)


def add(source: bytes, table: Table, blocks: Mapping[str, list[bytes]]) -> list[Cut]:
    """Put the lines of new entries where they belong in `table`, by the ASCII order of names."""
    commas = [comma(source, entry.end) for entry in table.entries]
    places: dict[int, list[bytes]] = {}
    for name in sorted(blocks):
        at = _place(table, name)
        # The last entry may have no comma: the new one goes before it, and its line is kept.
        if at and commas[at - 1] is None:
            at -= 1
        places.setdefault(at, []).extend(blocks[name])
    cuts = []
    for at, block in places.items():
        after = commas[at - 1] if at else table.opening
        assert after is not None  # noqa: S101 - only the last entry can lack its comma
        cuts.append(_insert(source, table, at, after + 1, block))
    return cuts


def drop(source: bytes, spans: tuple[Span, ...], at: int, *, keep_comma: bool = False) -> list[Cut]:
    """Take item `at` out of `spans`, those of a dict, a tuple or a list; with a line of its own,
    that line with the comment on it.

    With `keep_comma` the comma before a last item stays, as a tuple of one needs it.
    """
    span = spans[at]
    line = own_line(source, span)
    if line is not None:
        return [line]
    end = comma(source, span.end)
    if end is None:
        before = comma(source, spans[at - 1].end) if at else None
        if before is not None and not source[before + 1 : span.start].strip(b" \t"):
            return [Cut(before + keep_comma, span.end)]
        return [Cut(span.start, span.end)]
    if source[span.end : end].strip(b" \t"):
        return [Cut(span.start, span.end), Cut(end, end + 1)]
    blanks = _BLANKS.match(source, end + 1)
    return [Cut(span.start, blanks.end() if blanks else end + 1)]


def own_line(source: bytes, span: Span) -> Cut | None:
    """The whole lines of an item that shares them with nothing but its comma and a comment."""
    start = source.rfind(b"\n", 0, span.start) + 1
    end = comma(source, span.end)
    after = span.end if end is None else end + 1
    rest = _REST_OF_LINE.match(source, after)
    between = source[span.end : after].rstrip(b",")
    if source[start : span.start].strip(b" \t") or between.strip(b" \t") or rest is None:
        return None
    return Cut(start, rest.end())


def move(source: bytes, table: Table, entry: Entry, name: str, value: bytes) -> list[Cut] | None:
    """Take the line of `entry` to where `name` belongs, with the comment on it and a new value.

    None where it is to be changed in place: it belongs there, or it has no line of its own.
    """
    others = tuple(other for other in table.entries if other is not entry)
    here = table.entries.index(entry)
    line = own_line(source, Span(entry.key.start, entry.end))
    if _place(Table(table.opening, others), name) == here or line is None:
        return None
    if b"\n" in source[entry.key.start : entry.end]:
        return None
    end = comma(source, entry.end)
    comment = source[entry.end if end is None else end + 1 : line.end].rstrip(b"\r\n")
    block = [f'"{name}": '.encode() + value + b"," + comment]
    made = add(source, Table(table.opening, others), {name: block})
    # The line must come to stand on a line of its own again, or its comment would hide the rest.
    if not all(source[cut.start - 1 : cut.start] == b"\n" for cut in made):
        return None
    return [line, *made]


def comma(source: bytes, end: int) -> int | None:
    """The offset of the comma after an item that ends at `end`, or None where it is left out."""
    blank = plain.BLANK.match(source, end)
    at = blank.end() if blank else end
    return at if source[at : at + 1] == b"," else None


def _place(table: Table, name: str) -> int:
    entries = table.entries
    return next((i for i, entry in enumerate(entries) if entry.key.value > name), len(entries))


def _insert(source: bytes, table: Table, at: int, start: int, block: list[bytes]) -> Cut:
    rest = _REST_OF_LINE.match(source, start)
    line_start = source.rfind(b"\n", 0, table.opening) + 1
    indent_of_line = _BLANKS.match(source, line_start)
    margin = indent_of_line[0] if indent_of_line else b""
    eol = b"\r\n" if source.find(b"\r\n") >= 0 else b"\n"
    if rest is not None:
        eol = b"\r\n" if rest[0].endswith(b"\r\n") else b"\n"
        indent = _neighbour(source, table, at) or margin + STEP
        return Cut(rest.end(), rest.end(), b"".join(indent + line + eol for line in block))
    if not table.entries:
        lines = b"".join(eol + margin + STEP + line for line in block)
        return Cut(start, start, lines + eol + margin)
    inline = b"".join(
        line if line.endswith(b"(") else line + b" " for line in map(bytes.strip, block)
    )
    return Cut(start, start, b" " + inline.rstrip() if at else inline)


def _neighbour(source: bytes, table: Table, at: int) -> bytes | None:
    """The indent of the entries that begin their lines, the nearest to `at` first."""
    entries = table.entries
    for entry in (*reversed(entries[:at]), *entries[at:]):
        line_start = source.rfind(b"\n", 0, entry.key.start) + 1
        before = source[line_start : entry.key.start]
        if not before.strip(b" \t"):
            return before
    return None
