"""What a client sent → printable ASCII, which forges no line and moves no terminal."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r'[^\x20-\x7e]|["\\]')
_LAST = re.compile(r"\\[xuU]?[0-9a-f]*\Z")  # it may be cut
_USER = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/]*@")


def escaped(value: object, longest: int) -> str:
    """`value` without quotes, as nginx escapes it; `-` where it is empty; cut with `...`."""
    text = str(value or "-")[: longest + 1]
    plain = text.isascii() and text.isprintable() and '"' not in text and "\\" not in text
    safe = text if plain else _UNSAFE.sub(_escape, text)
    if len(safe) <= longest:
        return safe
    return _LAST.sub("", safe[: longest - 3]) + "..."


def bare(address: object) -> str:
    """An address without its query, its fragment, its user and its password."""
    text = str(address or "").partition("?")[0].partition("#")[0]
    return _USER.sub(r"\1//", text) if "//" in text else text


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
