"""What processes print → lines on stdout, each with its process's name."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Any

from luggage.run.log.printed import PIECE, SELF, Human, Json, Written

LAST = 20  # lines kept of each process

__all__ = ["PIECE", "SELF", "Lines", "Output"]


class Lines:
    """A stream of bytes, in chunks → its lines.

    A line longer than `longest` has it for its start, in bytes, comes in pieces of at most PIECE.
    `feed` and `end` return pairs: whether a line begins here, and its bytes without the line feed.
    """

    def __init__(self, longest: Callable[[bytes], int] = lambda _: PIECE) -> None:
        self._longest = longest
        self._rest = b""
        self._begins = True

    def feed(self, data: bytes) -> list[tuple[bool, bytes]]:
        """The lines and whole pieces that `data` completes."""
        *ended, self._rest = (self._rest + data).split(b"\n")
        pieces: list[tuple[bool, bytes]] = []
        for line in ended:
            last = self._cut(line, pieces) if len(line) > PIECE else line
            if last or self._begins:
                pieces.append((self._begins, last))
            self._begins = True
        if len(self._rest) > PIECE:
            self._rest = self._cut(self._rest, pieces)
        return pieces

    def end(self) -> list[tuple[bool, bytes]]:
        """What is left when the stream ends without a line feed."""
        line, self._rest = self._rest, b""
        return [(self._begins, line)] if line else []

    def _cut(self, line: bytes, pieces: list[tuple[bool, bytes]]) -> bytes:
        if self._begins and len(line) <= self._longest(line[:PIECE]):
            return line
        start = 0
        while len(line) - start > PIECE:
            end = start + PIECE
            while line[end] & 0xC0 == 0x80 and end > start + PIECE - 4:  # inside a UTF-8 character
                end -= 1
            pieces.append((self._begins, line[start:end]))
            self._begins = False
            start = end
        return line[start:]


class Output:
    """Writes what processes print, as `log_format` has it: for a human, or JSON.

    `names` are the processes'. `write` gets whole lines, and how many they stand for where that is
    not their number; where it returns False they are lost. How many are lost, with those that it
    took and `missed` tells of, is told as soon as it takes some again. The last LAST lines of each
    name are kept. `now` is in unix seconds. `hold` lets the process behind a transport wait that
    has just printed so many bytes.
    """

    def __init__(
        self,
        write: Callable[..., object],
        names: Iterable[str],
        log_format: str = "human",
        now: Callable[[], float] = time.time,
        *,
        missed: Callable[[], int] = lambda: 0,
        hold: Callable[[Any, int], None] = lambda *_: None,
    ) -> None:
        self.hold = hold
        self._missed = missed
        self._write = write
        self._lost = 0
        self._written: Written = (
            Json(now) if log_format == "json" else Human(max(map(len, (SELF, *names))))
        )
        self._kept: dict[str, deque[tuple[bool, bytes, int | None, int]]] = {}

    def stream(self) -> Lines:
        """What makes lines of one more stream of a process."""
        return Lines(self._written.longest)

    def lines(
        self,
        name: str,
        pieces: Collection[tuple[bool, bytes]],
        pid: int | None = None,
        stream: int = 1,
    ) -> None:
        """Write `pieces`, as `stream` gives them, of the process `name`: its `pid`, and the
        descriptor that it wrote to."""
        if pieces:
            kept = self._kept.setdefault(name, deque(maxlen=LAST))
            kept.extend((first, text[:PIECE], pid, stream) for first, text in list(pieces)[-LAST:])
            self._put(self._written(name, pieces, pid, stream))

    def say(self, text: str) -> None:
        """Write luggage's own lines; in JSON, `error: ` or `warning: ` in front is their level."""
        before = text.partition(": ")[0]
        level = before if before in {"error", "warning"} else "info"
        kept = self._kept.setdefault(SELF, deque(maxlen=LAST))
        kept.extend(
            (True, line.encode("utf-8", "replace"), os.getpid(), 1) for line in text.splitlines()
        )
        self._put(self._written.own(text, level, os.getpid()))

    def again(self, name: str) -> None:
        """Write the last lines of `name` once more."""
        lines = []
        for first, text, pid, stream in self._kept.get(name, ()):
            lines += self._written(name, [(first, text)], pid, stream)
        self._put(lines)

    def last(self, name: str) -> list[bytes]:
        """The last lines of `name`, as a person reads them; of long ones the pieces."""
        kept = self._kept.get(name, ())
        return [line for _, text, _, _ in kept for line in self._written.shown(text)][-LAST:]

    def untold(self) -> int:
        """How many lines are lost without that this has been told; who asks will tell it."""
        lost, self._lost = self._lost, 0
        return lost

    def _put(self, lines: Collection[bytes]) -> None:
        self._lost += self._missed()
        if not self._lost:
            taken = self._write(b"".join(lines))
        else:
            news = f"{self._lost} lines lost: nobody read the log"
            told = self._written.own(news, "error", os.getpid())
            taken = self._write(b"".join([*told, *lines]), self._lost + len(lines))
        self._lost = self._lost + len(lines) if taken is False else 0
