"""Whoever waits for a pipe to be read goes on when it is, and in any case."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from luggage.web import heard


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def waited(seconds: float, descriptor: int) -> float:
    began = time.monotonic()
    heard.wait(seconds, descriptor)
    return time.monotonic() - began


def test_it_waits_until_all_is_read(pipe: tuple[int, int]) -> None:
    """Not for a part of it; and not for the end of its time."""
    reading, writing = pipe
    os.write(writing, b"a traceback of two lines\nor so\n")
    read: list[bytes] = []

    def follow() -> None:
        time.sleep(0.1)
        read.append(os.read(reading, 5))
        time.sleep(0.1)
        read.append(os.read(reading, 100))

    reader = threading.Thread(target=follow)
    reader.start()
    took = waited(30, writing)
    assert b"".join(read) == b"a traceback of two lines\nor so\n"
    reader.join()
    assert 0.2 <= took < 15


def test_a_pipe_that_nobody_reads_holds_nobody_up(pipe: tuple[int, int]) -> None:
    """It goes on at the end of its time."""
    os.write(pipe[1], b"nobody cares\n")
    assert 0.1 <= waited(0.1, pipe[1]) < 15


def test_what_is_no_pipe_is_not_waited_for(pipe: tuple[int, int], tmp_path: Path) -> None:
    """An empty one, a file that has something in it, a device, a descriptor that is closed."""
    path = tmp_path / "log"
    path.write_text("what was printed before")
    with path.open("r+b") as file, Path(os.devnull).open("wb") as null:
        for descriptor in (pipe[1], file.fileno(), null.fileno()):
            assert waited(30, descriptor) < 15
    assert waited(30, file_number_of_none()) < 15


def file_number_of_none() -> int:
    """A descriptor that is open nowhere."""
    spare = os.dup(0)
    os.close(spare)
    return spare
