"""The bytes of a statement → its bare form: no white space, no comments, no last commas.

Only for statements whose strings hold no white space, quote, bracket, comma or '#', as those of
format.md §4 do once their names and sealed values are checked.
"""

from __future__ import annotations

import re

BLANK = re.compile(rb"(?:[ \t\f\r\n]|\\\r?\n|#[^\n]*)+")
_LAST_COMMA = re.compile(rb",(?=[)}\]])")


def difference(written: bytes, expected: bytes) -> int | None:
    """The offset in `written` where its bare form first differs from that of `expected`, or None.

    Single and double quotes count as the same.
    """
    one, two = _bare(written), _bare(expected)
    if one == two:
        return None
    pairs = enumerate(zip(one, two, strict=False))
    at = next((place for place, (a, b) in pairs if a != b), min(len(one), len(two)))
    places = _places(written)
    return places[min(at, len(places) - 1)]


def _bare(text: bytes) -> bytes:
    return _LAST_COMMA.sub(b"", BLANK.sub(b"", text)).replace(b'"', b"'")


def _places(text: bytes) -> list[int]:
    """Where each byte of the bare form stands in `text`."""
    blank = {place for match in BLANK.finditer(text) for place in range(*match.span())}
    kept = [place for place in range(len(text)) if place not in blank]
    return [
        here
        for here, after in zip(kept, [*kept[1:], kept[-1]], strict=True)
        if not (text[here] == ord(",") and text[after] in b")}]")
    ]
