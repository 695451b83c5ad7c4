"""What a client sent → printable ASCII, which forges no line and moves no terminal."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r'[^\x20-\x7e]|["\\]')
_LAST = re.compile(r"\\[xuU]?[0-9a-f]*\Z")  # it may be cut
_USER = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/]*@")


def escaped(value: object, longest: int) -> str:
    """`value` without quotes, as nginx escapes it; `-` where it is empty; cut with `...`."""
    safe = _UNSAFE.sub(_escape, str(value or "-")[: longest + 1])
    if len(safe) <= longest:
        return safe
    return _LAST.sub("", safe[: longest - 3]) + "..."


def bare(address: object) -> str:
    """An address without its query, its fragment, its user and its password."""
    return _USER.sub(r"\1//", re.split(r"[?#]", str(address or ""), maxsplit=1)[0])


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
