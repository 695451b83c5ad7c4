"""What the supervisor decides → what each of its processes sees at once, on one page of memory.

It holds whether everything is about to stop, how much is to be logged, and what is wrong with which
processes. The supervisor alone writes; to read costs no system call.
"""

from __future__ import annotations

import binascii
import contextlib
import fcntl
import mmap
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "LUGGAGE_BOARD_FD"
LEVELS = ("debug", "info", "warning", "error", "critical")

NAME = "luggage-board"
SIZE = 4096  # bytes; a page is never smaller

# Two flags, the level's place in LEVELS, and which of the two slots below is the one to read: the
# other is written, however long that takes. A slot holds a text's CRC-32, its length, and UTF-8.
_STOPPING, _FIT, _LEVEL, _SLOT, _FIRST = 0, 1, 2, 3, 4
_ROOM = (SIZE - _FIRST) // 2
_HEAD = struct.Struct("=LH")
_TRIES = 100

_FUTURE_WRITE = 0x0010  # F_SEAL_FUTURE_WRITE of <linux/fcntl.h>, Linux 5.1
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


class View:
    """The board as any process reads it."""

    def __init__(self, page: mmap.mmap) -> None:
        self._page = page

    @property
    def stopping(self) -> bool:
        """Whether everything is about to stop: what asks for readiness is to hear no."""
        return self._page[_STOPPING] != 0

    @property
    def fit(self) -> bool:
        """Whether every process runs without which nothing is ready."""
        return self._page[_FIT] != 0

    @property
    def level(self) -> str:
        """How much is to be logged: one of LEVELS."""
        return LEVELS[self._page[_LEVEL]]

    @property
    def trouble(self) -> str:
        """What is wrong with which processes, in words; or nothing."""
        for _ in range(_TRIES):
            start = _FIRST + self._page[_SLOT] % 2 * _ROOM
            content = self._page[start : start + _ROOM]
            crc, length = _HEAD.unpack_from(content)
            text = content[_HEAD.size : _HEAD.size + length]
            # Twice written since, it is one text in part and another.
            if binascii.crc32(text) == crc:
                return text.decode("utf-8", "ignore")
        return ""


class Board(View):
    """The board as the supervisor writes it."""

    def __init__(self, descriptor: int, page: mmap.mmap) -> None:
        super().__init__(page)
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor that the processes inherit; it cannot be written through."""
        return self._descriptor

    def close(self) -> None:
        """Let go of it; the processes keep theirs."""
        self._page.close()
        os.close(self._descriptor)

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def stopping(self) -> bool:
        return super().stopping

    @stopping.setter
    def stopping(self, value: bool) -> None:
        self._page[_STOPPING] = value

    @property
    def fit(self) -> bool:
        return super().fit

    @fit.setter
    def fit(self, value: bool) -> None:
        self._page[_FIT] = value

    @property
    def level(self) -> str:
        return super().level

    @level.setter
    def level(self, value: str) -> None:
        self._page[_LEVEL] = LEVELS.index(value)

    @property
    def trouble(self) -> str:
        return super().trouble

    @trouble.setter
    def trouble(self, value: str) -> None:
        text = value.encode("utf-8", "replace")[: _ROOM - _HEAD.size]
        content = _HEAD.pack(binascii.crc32(text), len(text)) + text
        other = 1 - self._page[_SLOT]
        start = _FIRST + other * _ROOM
        self._page[start : start + len(content)] = content
        self._page[_SLOT] = other


def create(level: str = "info") -> Board:
    """A new board on which nothing stops, all is fit, and `level` is logged.

    Raises ValueError where `level` is none of LEVELS.
    """
    descriptor = os.memfd_create(NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, SIZE)
    page = mmap.mmap(descriptor, SIZE)
    # Nobody can shorten it, which would kill whoever reads.
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    with contextlib.suppress(OSError):  # an older kernel: then it is only not done
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _FUTURE_WRITE)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL)
    made = Board(descriptor, page)
    made.level = level
    made.fit = True
    made.trouble = ""
    return made


def inherited(environ: Mapping[str, str]) -> View | None:
    """The board of the supervisor that `environ` tells of; None where there is none.

    Call it once and keep what it returns. What this process starts does not inherit the descriptor.
    """
    text = environ.get(VARIABLE, "")
    try:
        number = int(text) if text.isascii() and text.isdigit() else -1
        # Another process's number, in a variable passed on, would be any file here.
        seals = fcntl.fcntl(number, fcntl.F_GET_SEALS)
        if seals & _SEALS != _SEALS or os.fstat(number).st_size != SIZE:
            return None
        os.set_inheritable(number, False)
        return View(mmap.mmap(number, SIZE, prot=mmap.PROT_READ))
    except (OSError, OverflowError, ValueError):
        return None
