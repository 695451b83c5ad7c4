"""What processes print → lines on stdout, each behind its process's name."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable

PIECE = 16_000  # bytes; Docker's own log lines hold 16 KiB
LAST = 20  # lines kept of each process
SELF = "luggage"


class Lines:
    """A stream of bytes, in chunks → its lines. A line longer than PIECE bytes comes in pieces.

    `feed` and `end` return pairs: whether a line begins here, and its bytes without the line feed.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._begins = True

    def feed(self, data: bytes) -> list[tuple[bool, bytes]]:
        """The lines and whole pieces that `data` completes."""
        *ended, self._rest = (self._rest + data).split(b"\n")
        pieces: list[tuple[bool, bytes]] = []
        for line in ended:
            last = self._cut(line, pieces)
            if last or self._begins:
                pieces.append((self._begins, last))
            self._begins = True
        self._rest = self._cut(self._rest, pieces)
        return pieces

    def end(self) -> list[tuple[bool, bytes]]:
        """What is left when the stream ends without a line feed."""
        line, self._rest = self._rest, b""
        return [(self._begins, line)] if line else []

    def _cut(self, line: bytes, pieces: list[tuple[bool, bytes]]) -> bytes:
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
    """Writes lines as `name | text`; the further pieces of a long line as `name : text`.

    `write` gets whole lines; where it returns False they are lost, and how many is told as soon as
    it takes some again. The last LAST lines of each name are kept for `again`.
    """

    def __init__(self, write: Callable[[bytes], object], names: Iterable[str]) -> None:
        self._write = write
        self._lost = 0
        self._width = max(len(name) for name in (SELF, *names))
        self._kept: dict[str, deque[bytes]] = {}

    def lines(self, name: str, pieces: Iterable[tuple[bool, bytes]]) -> None:
        """Write `pieces`, as `Lines` gives them, of the process `name`."""
        head = name.ljust(self._width).encode("utf-8", "replace")
        whole = [head + (b" | " if begins else b" : ") + text + b"\n" for begins, text in pieces]
        if whole:
            self._kept.setdefault(name, deque(maxlen=LAST)).extend(whole)
            self._put(whole)

    def say(self, text: str) -> None:
        """Write luggage's own lines."""
        self.lines(SELF, [(True, line.encode("utf-8", "replace")) for line in text.splitlines()])

    def last(self, name: str) -> list[bytes]:
        """The last lines of `name` as they were written, without their line feeds."""
        return [line.removesuffix(b"\n") for line in self._kept.get(name, ())]

    def again(self, name: str) -> None:
        """Write the last lines of `name` once more."""
        self._put(self._kept.get(name, ()))

    def _put(self, lines: Collection[bytes]) -> None:
        news = f"{SELF.ljust(self._width)} | {self._lost} lines lost: nobody read the log\n"
        head = [news.encode()] if self._lost else []
        if self._write(b"".join([*head, *lines])) is False:
            self._lost += len(lines)
        else:
            self._lost = 0
