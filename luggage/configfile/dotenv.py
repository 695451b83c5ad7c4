r"""The bytes of a .env file → names and values, or all that such tools read differently.

    file    = { blank | comment | ["export"] NAME "=" value [comment] } by lines
    value   = "'" any but ' "'" | '"' any, with \n \r \t \\ \" \$ '"' | plain
    comment = "#" to the line's end; behind a value, after white space

Quoted values may hold line ends. Nothing is expanded: a `$` that a tool would expand is refused
outside of single quotes, as is what some tools take as they find it and others do not: a backslash,
a quote inside, a backquote, or a `#` in a plain value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from luggage.crypto import names
from luggage.crypto.envelope import MAX_VALUE
from luggage.crypto.secret import Secret

MAX_BYTES = 16 * 1024 * 1024
_SKIP = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_START = re.compile(r"[ \t]*(?:export[ \t]+)?([^\s=#'\"]+)[ \t]*=[ \t]*")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\[\s\S])*+)"')
_REST = re.compile(r"[ \t]*(?:(?<=[ \t])#[^\n]*)?(?:\n|\Z)")
_COMMENT = re.compile(r"(?:^|[ \t]+)#.*")
_ESCAPE = re.compile(r"\\([\s\S])")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}
_EXPANDED = re.compile(r"\$[^\s]")
_SOME_EXPAND = "a `$` or '`' that some tools expand"
_ODD = re.compile(r"[\\'\"`#]")


@dataclass(frozen=True)
class Entry:
    """One name and its value's bytes; `line` is the one it begins in, from 1."""

    line: int
    name: str
    value: Secret


@dataclass(frozen=True, order=True)
class Problem:
    """What cannot be read for certain, and its line; quotes nothing but names that are right."""

    line: int
    message: str


class _RefusedError(ValueError):
    """Inside this module only: why an entry cannot be read, and the offset to go on from."""

    def __init__(self, message: str, after: int) -> None:
        super().__init__(message)
        self.message = message
        self.after = after


def parse(source: Secret) -> tuple[list[Entry], list[Problem]]:
    """The entries of the file whose bytes `source` holds, and all that is wrong with it."""
    raw: bytes = source.reveal()
    if len(raw) > MAX_BYTES:
        return [], [Problem(0, "larger than 16 MiB")]
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return [], [Problem(raw.count(b"\n", 0, error.start) + 1, "not UTF-8")]
    lone = text.find("\r")
    if lone >= 0:
        where = text.count("\n", 0, lone) + 1
        return [], [Problem(where, "a carriage return without a line feed")]
    found: list[Entry] = []
    problems: list[Problem] = []
    at, line = 0, 1
    while at < len(text):
        blank = _SKIP.match(text, at)
        try:
            after = blank.end() if blank else _entry(text, at, line, found)
        except _RefusedError as refused:
            problems.append(Problem(line, refused.message))
            after = refused.after
        line += text.count("\n", at, after)
        at = after
    return found, sorted([*problems, *_twice(found)])


def _twice(found: list[Entry]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for entry in found:
        if entry.name in first:
            where = f"the first is in line {first[entry.name]}"
            yield Problem(entry.line, f"{entry.name} stands twice: {where}")
        first.setdefault(entry.name, entry.line)


def _entry(text: str, at: int, line: int, found: list[Entry]) -> int:
    """Add the entry at an offset to `found`, and return the offset behind it."""
    start = _START.match(text, at)
    if start is None:
        raise _RefusedError("not NAME=value", _after(text, at))
    quote = text[start.end() : start.end() + 1]
    if quote in ("'", '"'):
        value, after = _quoted(text, start.end(), quote)
    else:
        after = _after(text, start.end())
        value = _plain(text[start.end() : after].removesuffix("\n"), after)
    if not names.is_secret(start[1]):
        raise _RefusedError("the name is not upper-case letters, digits and '_'", after)
    if not value:
        raise _RefusedError(f"{start[1]}: no value, and an empty one is refused", after)
    if "\0" in value:
        raise _RefusedError(f"{start[1]}: holds a NUL byte", after)
    data = Secret(value.encode())
    if len(data.reveal()) > MAX_VALUE:
        raise _RefusedError(f"{start[1]}: over {MAX_VALUE:,} bytes, the most a secret holds", after)
    found.append(Entry(line, start[1], data))
    return after


def _after(text: str, at: int) -> int:
    """The offset behind the line that `at` is in."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _quoted(text: str, at: int, quote: str) -> tuple[str, int]:
    match = (_SINGLE if quote == "'" else _DOUBLE).match(text, at)
    if match is None:
        raise _RefusedError("a quote that is never closed", len(text))
    rest = _REST.match(text, match.end())
    if rest is None:
        raise _RefusedError("text behind the closing quote", _after(text, match.end()))
    if quote == "'":
        return match[1], rest.end()
    bare = _ESCAPE.sub("", match[1])
    if "`" in bare or _EXPANDED.search(_ESCAPE.sub("x", match[1])):
        raise _RefusedError(_SOME_EXPAND, rest.end())
    if not {escape[1] for escape in _ESCAPE.finditer(match[1])} <= set(_ESCAPES):
        raise _RefusedError("an escape that not all tools know", rest.end())
    return _ESCAPE.sub(lambda escape: _ESCAPES[escape[1]], match[1]), rest.end()


def _plain(text: str, after: int) -> str:
    value = _COMMENT.sub("", text, count=1).rstrip(" \t")
    if _EXPANDED.search(value):
        raise _RefusedError(_SOME_EXPAND, after)
    if _ODD.search(value):
        raise _RefusedError("a quote, '\\', '`' or '#' in a value without quotes", after)
    return value
