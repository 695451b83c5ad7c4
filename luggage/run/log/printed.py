"""What a process printed → a line of the log: `name | text`, or one JSON object."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Protocol

from luggage.run.log.stamp import stamp

SELF = "luggage"
PIECE = 16_000  # bytes; Docker's own log lines hold 16 KiB
WHOLE = 1 << 20  # bytes of an object that a process prints in one line; a longer one is text
STREAMS = {1: "stdout", 2: "stderr"}

# Other libraries' names for the same: structlog, bunyan, zap, python-json-logger, Google's.
_MESSAGES = ("msg", "event")
_LEVELS = ("severity", "levelname")

_OBJECT = re.compile(rb"(?s)[ \t]*\{.*\}[ \t\r]*\Z")

# Within a string of JSON, their only place, they can as well be escaped: they end lines for some
# readers, and move terminals.
_ODD = re.compile("[\x7f-\x9f\u2028\u2029]")


class Written(Protocol):
    """How lines are written; `longest` is the length of one that may be whole, by its start."""

    def longest(self, start: bytes) -> int: ...

    def __call__(
        self, name: str, pieces: Iterable[tuple[bool, bytes]], pid: int | None, stream: int
    ) -> list[bytes]: ...

    def own(self, text: str, level: str, pid: int, stream: int = 1) -> list[bytes]: ...

    def shown(self, text: bytes) -> list[bytes]: ...


class Human:
    """`name | text`, and `name : text` where a long line goes on; names are `width` wide."""

    def __init__(self, width: int) -> None:
        self._width = width

    def longest(self, start: bytes) -> int:
        """Bytes."""
        return PIECE

    def __call__(
        self,
        name: str,
        pieces: Iterable[tuple[bool, bytes]],
        pid: int | None = None,
        stream: int = 1,
    ) -> list[bytes]:
        head = name.ljust(self._width).encode("utf-8", "replace")
        begins, goes_on = head + b" | ", head + b" : "
        return [(begins if first else goes_on) + text + b"\n" for first, text in pieces]

    def own(self, text: str, level: str, pid: int, stream: int = 1) -> list[bytes]:
        """luggage's own lines."""
        return self(SELF, [(True, line.encode("utf-8", "replace")) for line in text.splitlines()])

    def shown(self, text: bytes) -> list[bytes]:
        """A printed line as a person reads it, without its process's name."""
        return [text]


class Json:
    """One object a line, whatever was printed: time, process, pid, stream, level, message.

    An object that the process printed itself is passed through as it is, with what it lacks of
    these before its own members. All else is text: a message, in ASCII. `now` is in unix seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        # A number's value is not asked for, which may be longer than Python takes.
        self._parse = json.JSONDecoder(
            parse_int=bool, parse_float=bool, parse_constant=_refuse
        ).decode

    def longest(self, start: bytes) -> int:
        """Bytes."""
        return WHOLE if start.lstrip()[:1] == b"{" else PIECE

    def __call__(
        self,
        name: str,
        pieces: Iterable[tuple[bool, bytes]],
        pid: int | None = None,
        stream: int = 1,
    ) -> list[bytes]:
        return self._lines(
            {"time": stamp(self._now()), "process": name, "pid": pid, "stream": STREAMS[stream]},
            "info" if stream == 1 else "error",
            pieces,
        )

    def own(self, text: str, level: str, pid: int, stream: int = 1) -> list[bytes]:
        """luggage's own lines, together."""
        told = {"time": stamp(self._now()), "process": SELF, "pid": pid, "stream": STREAMS[stream]}
        return self._text(_start({**told, "level": level}), True, text)

    def shown(self, text: bytes) -> list[bytes]:
        """A printed line as a person reads it; of an object level, request, message, traceback."""
        found = self._parsed(text) if _OBJECT.match(text) else None
        message = _first(found or {}, ("message", *_MESSAGES), "")
        if not found or not message:
            return [text]
        level = _first(found, ("level", *_LEVELS), "info").upper()
        request = _first(found, ("request_id",), "")
        named = f" [{request}]" if request else ""
        trace = _first(found, ("traceback", "exc_info", "exception"), "")
        told = f"{level}{named} {message}\n{trace}"
        return [line.encode("utf-8", "replace") for line in told.splitlines()]

    def _lines(
        self, known: dict[str, object], level: str, pieces: Iterable[tuple[bool, bytes]]
    ) -> list[bytes]:
        start = _start({**known, "level": level})
        lines: list[bytes] = []
        for first, raw in pieces:
            line = self._object(raw, known, level) if first and _OBJECT.match(raw) else None
            if line is None:
                lines += self._text(start, first, raw.decode("utf-8", "backslashreplace"))
            else:
                lines.append(line)
        return lines

    def _object(self, raw: bytes, known: dict[str, object], level: str) -> bytes | None:
        """The object in `raw`, completed; None where there is none."""
        found = self._parsed(raw)
        if found is None:
            return None
        text = raw.decode().strip(" \t\r")
        if _ODD.search(text):
            text = _ODD.sub(lambda odd: f"\\u{ord(odd[0]):04x}", text)
        lacks = {key: value for key, value in known.items() if key not in found}
        if "level" not in found:
            lacks["level"] = _first(found, _LEVELS, level).lower()
        if "message" not in found:
            lacks["message"] = _first(found, _MESSAGES, "")
        if not lacks:
            return text.encode() + b"\n"
        added = json.dumps(lacks)[:-1]
        return f"{added}{', ' if found else ''}{text[1:].lstrip()}\n".encode()

    def _parsed(self, raw: bytes) -> dict[str, object] | None:
        try:
            found = self._parse(raw.decode())
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def _text(self, start: str, first: bool, text: str) -> list[bytes]:
        """`text` as a message; where it is too long when escaped, in several, all but the first of
        which go on."""
        quoted = json.dumps(text.removesuffix("\r"))
        if len(quoted) > PIECE and len(text) > 1:
            middle = len(text) // 2
            return [
                *self._text(start, first, text[:middle]),
                *self._text(start, False, text[middle:]),
            ]
        goes_on = "" if first else '"continued": true, '
        return [f'{start}{goes_on}"message": {quoted}}}\n'.encode()]


def _start(members: dict[str, object]) -> str:
    return json.dumps(members)[:-1] + ", "


def _first(found: dict[str, object], names: Iterable[str], default: str) -> str:
    return next((it for name in names if isinstance(it := found.get(name), str)), default)


def _refuse(constant: str) -> object:
    raise ValueError(constant)  # NaN and its like, which only Python's parser takes
