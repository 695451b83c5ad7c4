"""A text out of any file → what in it is shaped like a private key, plain or in base64."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator

from luggage.crypto import keys

_TEXT = rb"lugkey1\.[A-Za-z0-9_-]{48}|lugbundle1\.[A-Za-z0-9_-]+"
_CODED = rb"[A-Za-z0-9+/_-]+"
_MOST_KEYS = 8


def _spellings() -> Iterator[str]:
    """What a key's first characters become in base64, by the bytes before them, modulo 3.

    Of the characters that depend on a neighbour none is in it.
    """
    for start in (keys.PRIVATE, keys.BUNDLE):
        for before in range(3):
            coded = base64.b64encode(bytes(before) + start.encode()).decode()
            bits = (before + len(start)) * 8
            yield coded[math.ceil(before * 8 / 6) : bits // 6]


SPELLINGS = tuple(_spellings())
PATTERNS = (
    _TEXT.decode(),
    *(f"{spelling}{_CODED.decode()}" for spelling in SPELLINGS),
)


def candidates(text: bytes) -> Iterator[str]:
    """Each text in `text`, which matches one of PATTERNS, that may be a key, for keys.parse_keys.

    What follows a key on the line may look like a part of it: so a key ends where keys do, and a
    bundle wherever one could.
    """
    plain = text if b"lug" in text[:3] else _decoded(text)
    for match in re.finditer(_TEXT, plain):
        found = match[0].decode()
        if found.startswith(keys.PRIVATE):
            yield found
            continue
        for length in _bundle_lengths():
            if len(found) >= length:
                yield found[:length]


def _bundle_lengths() -> Iterator[int]:
    """How long the text of a bundle may be, the longest first."""
    label, record, release, checksum = 18, 5 + 32, (5 + 32) + (5 + 8), 4
    sizes = {
        label + record * count + more + checksum
        for count in range(1, _MOST_KEYS + 1)
        for more in (0, release)
    }
    for size in sorted(sizes, reverse=True):
        yield len(keys.BUNDLE) + math.ceil(size * 8 / 6)


def _decoded(text: bytes) -> bytes:
    """Base64 that starts in the middle of a key's first character: in all three places it may."""
    found = []
    for dropped in range(4):
        coded = b"A" * dropped + text.translate(bytes.maketrans(b"+/", b"-_"))
        coded = coded[: len(coded) - (len(coded) % 4 == 1)]
        plain = base64.urlsafe_b64decode(coded + b"=" * (-len(coded) % 4))
        at = re.search(rb"(?:key|bundle)1\.", plain)
        if at:
            found.append(b"lug" + plain[at.start() :])
    return b"\n".join(found)
