"""The bytes of a value ⇄ what its type says they are (docs/format.md §3.2)."""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

from luggage.crypto.errors import RefusalError

NAMES = ("text", "bytes", "json", "url")
_URL = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+")
# A string runs to its end even where it has none, so that no text is scanned twice.
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{\]}]', re.DOTALL)
_MAX_DEPTH = 64
_MAX_DIGITS = 300


def parse(kind: str, value: bytes) -> Any:
    """What `value` is as a `kind`; raises RefusalError, which never quotes it."""
    match kind:
        case "bytes":
            return value
        case "text":
            return _text(value)
        case "url":
            if _URL.fullmatch(value) is None:
                raise RefusalError(
                    "value", "not a URL: a scheme, ':' and printable ASCII without space"
                )
            return value.decode("ascii")
        case "json":
            return _json(_text(value))
        case _:
            raise RefusalError("type", "its type is unknown: a newer luggage wrote it")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise RefusalError("value", "not UTF-8 text")


def _json(text: str) -> Any:
    import json  # noqa: PLC0415 - most deployments have no JSON value, and a start takes no longer

    _check_depth(text)
    try:
        parsed = json.loads(
            text,
            object_pairs_hook=_members,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_fraction,
        )
        _check_surrogates(parsed)
        return parsed
    except (ValueError, RecursionError):
        pass
    raise RefusalError("value", "not strict JSON")


def _check_depth(text: str) -> None:
    """Before parsing: Python's parser recurses, and its limit depends on the caller's stack."""
    depth = 0
    for token in _STRUCTURE.finditer(text):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        if depth > _MAX_DEPTH:
            raise RefusalError("value", f"JSON nested more than {_MAX_DEPTH} deep")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _constant(text: str) -> NoReturn:
    raise ValueError("not JSON")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > _MAX_DIGITS:
        raise ValueError("too many digits")
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("too large a number")
    return number


def _check_surrogates(parsed: Any) -> None:
    """Raises ValueError on an unpaired `\\ud800`: a string in Python, but no text."""
    if isinstance(parsed, str):
        parsed.encode("utf-8")
    elif isinstance(parsed, list):
        for item in parsed:
            _check_surrogates(item)
    elif isinstance(parsed, dict):
        for name, item in parsed.items():
            name.encode("utf-8")
            _check_surrogates(item)
