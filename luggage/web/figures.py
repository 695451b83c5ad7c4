"""Named figures → a file of them that others read, and that a full disk turns into memory.

The file is one of prometheus_client's multiprocess mode (its mmap_dict.py), and this class can be
used in place of the one there: four bytes with how much is used, four of padding; then for each
figure the length of its key, the key, spaces up to a multiple of eight, the value and a time.

prometheus_client's own file has holes. To write into one where the file system is full is SIGBUS,
which no process survives. So here all of the file is allocated before any of it is written.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import time
from pathlib import Path

FIRST = 16_384  # bytes of a new file
AGAIN = 10.0  # seconds between attempts to find room
HEAD = 8

_length = struct.Struct("i")
_pair = struct.Struct("dd")
_told: set[int] = set()


class Figures:
    """The figures in the file `filename`, by key: pairs of a value and a time.

    Where there is no room in the file a figure is kept in memory, and goes to the file when there
    is. Only one process writes to the file, and whoever calls holds a lock.
    """

    def __init__(self, filename: str) -> None:
        self._path = Path(filename)
        self._file = -1
        self._map: mmap.mmap | None = None
        self._used = HEAD
        self._places: dict[str, int] = {}
        self._kept: dict[str, tuple[float, float]] = {}
        self._next = 0.0

    def read_value(self, key: str) -> tuple[float, float]:
        """The value and the time of `key`, which is there from now on."""
        place = self._place(key)
        if place is None or self._map is None:
            return self._kept.setdefault(key, (0.0, 0.0))
        value, stamp = _pair.unpack_from(self._map, place)
        return value, stamp

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Set both."""
        place = self._place(key)
        if place is None or self._map is None:
            self._kept[key] = value, timestamp
        else:
            # By one assignment: pack_into would let a reader see a zero.
            self._map[place : place + _pair.size] = _pair.pack(value, timestamp)

    def add(self, key: str, amount: float) -> None:
        """Add to the value of `key`."""
        place = self._places.get(key)
        if place is None or self._map is None:
            self.write_value(key, self.read_value(key)[0] + amount, 0.0)
        else:
            value = _pair.unpack_from(self._map, place)[0] + amount
            self._map[place : place + _pair.size] = _pair.pack(value, 0.0)

    def close(self) -> None:
        """Let go of the file, which stays."""
        if self._map is not None:
            self._map.close()
            os.close(self._file)
            self._map, self._file = None, -1

    def _place(self, key: str) -> int | None:
        place = self._places.get(key)
        if place is None and time.monotonic() >= self._next:
            try:
                place = self._enter(key)
            except OSError as error:
                self._next = time.monotonic() + AGAIN
                self._tell(error)
        return place

    def _enter(self, key: str) -> int:
        if self._map is None:
            self._open()
            if key in self._places:
                return self._places[key]
        name = key.encode()
        padded = name + b" " * (8 - (len(name) + _length.size) % 8)
        place = self._used + _length.size + len(padded)
        end = place + _pair.size
        size = FIRST
        while size < end:
            size *= 2
        board = self._grown(size)
        value = self._kept.pop(key, (0.0, 0.0))
        board[self._used : end] = _length.pack(len(name)) + padded + _pair.pack(*value)
        # Whoever reads meanwhile sees the figure whole, or not yet.
        board[: _length.size] = _length.pack(end)
        self._used = end
        self._places[key] = place
        return place

    def _open(self) -> None:
        """Go on with what a process of the same number has left, as prometheus_client does."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(self._path, flags, 0o600)
        try:
            size = max(FIRST, os.fstat(self._file).st_size)
            board = self._grown(size)
        except OSError:
            os.close(self._file)
            self._file = -1
            raise
        self._used = max(HEAD, _length.unpack_from(board)[0])
        self._places = {key: place for key, _, _, place in entries(board[: self._used])}
        board[: _length.size] = _length.pack(self._used)

    def _grown(self, size: int) -> mmap.mmap:
        if self._map is None or len(self._map) < size:
            os.posix_fallocate(self._file, 0, size)
            self._map = mmap.mmap(self._file, size)
        return self._map

    def _tell(self, error: OSError) -> None:
        # Before its turn, a process has no place for files (luggage/run/start/metered.py).
        if os.getpid() not in _told and not str(self._path).startswith(os.devnull):
            _told.add(os.getpid())
            # Not by logging: a handler may count its lines with what is locked here.
            sys.stderr.write(
                f"metrics: no room in {self._path.parent} ({error.strerror}): kept in memory "
                "until there is\n"
            )


def entries(data: bytes) -> list[tuple[str, float, float, int]]:
    """Key, value, time, and where these two stand, of all figures in a file's bytes.

    Raises ValueError where it is no such file.
    """
    try:
        used = min(_length.unpack_from(data)[0], len(data)) if data else 0
        found = []
        place = HEAD
        while place < used:
            length = _length.unpack_from(data, place)[0]
            if length < 0:
                raise ValueError("a length below zero")
            start = place + _length.size
            stop = start + length
            place = stop + 8 - (length + _length.size) % 8
            found.append((data[start:stop].decode(), *_pair.unpack_from(data, place), place))
            place += _pair.size
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    return found


def dump(figures: dict[str, tuple[float, float]]) -> bytes:
    """The bytes of a file that holds `figures`."""
    parts = []
    for key, value in figures.items():
        name = key.encode()
        padded = name + b" " * (8 - (len(name) + _length.size) % 8)
        parts.append(_length.pack(len(name)) + padded + _pair.pack(*value))
    body = b"".join(parts)
    return struct.pack("i4x", HEAD + len(body)) + body
