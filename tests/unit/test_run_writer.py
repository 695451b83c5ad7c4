"""The log's way out: a slow reader loses nothing, and one that never reads stops nothing."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from luggage.run.log.output import Output
from luggage.run.log.writer import Writer


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_slow_reader_gets_everything(pipe: tuple[int, int], blocking: bool) -> None:
    """In order, whatever the descriptor's own mode, which stays as it was."""
    reader, writer = pipe
    os.set_blocking(writer, blocking)
    data = os.urandom(300_000)
    read = bytearray()
    written = threading.Event()

    def slow_reader() -> None:
        written.wait(10)
        while len(read) < len(data):
            read.extend(os.read(reader, 10_000))
            time.sleep(0.001)

    thread = threading.Thread(target=slow_reader)
    thread.start()
    write = Writer(writer)
    assert all(write(data[at : at + 1000]) for at in range(0, len(data), 1000))
    assert not read, "not as slow as its reader"
    written.set()
    assert write.flush(10)
    thread.join()
    assert bytes(read) == data
    assert os.get_blocking(writer) is blocking


def fill(writer: int) -> int:
    """Leave no room in the pipe, so that it does not matter when the writer's thread runs; return
    the bytes that it holds."""
    os.set_blocking(writer, False)
    held = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            held += os.write(writer, b"x")
    os.set_blocking(writer, True)
    return held


def test_nobody_reads(pipe: tuple[int, int]) -> None:
    """What is over the limit is refused at once, until half of what waits has been read."""
    reader, writer = pipe
    full = fill(writer)
    write = Writer(writer, limit=100_000)
    began = time.monotonic()
    taken = [write(b"%09d\n" % number) for number in range(20_000)]
    assert not write.flush(0.2)
    assert time.monotonic() - began < 30
    count = taken.index(False)
    assert taken == [True] * count + [False] * (20_000 - count)
    assert count == 10_000, "the limit"
    read = b""
    while len(read) < full + count * 10:
        read += os.read(reader, 1000)
    read = read[full:]
    assert read == b"".join(b"%09d\n" % number for number in range(count))
    assert write.flush(5)
    assert write(b"again\n")
    assert os.read(reader, 100) == b"again\n"


def test_what_is_larger_than_the_limit_does_not_end_the_log(pipe: tuple[int, int]) -> None:
    """It is taken where nothing waits, and what comes later is taken when it has been read."""
    reader, writer = pipe
    full = fill(writer)
    write = Writer(writer, limit=1000)
    assert write(b"x" * 4999 + b"\n")
    assert not write(b"too much\n")
    read = b""
    while len(read) < full + 5000:
        read += os.read(reader, 10_000)
    assert read[full:] == b"x" * 4999 + b"\n"
    assert write.flush(10)
    assert write(b"again\n")
    assert os.read(reader, 100) == b"again\n"


def test_a_closed_pipe_stops_nothing() -> None:
    """A reader that is gone is no reason to stop, nor to wait."""
    reader, writer = os.pipe()
    os.close(reader)
    write = Writer(writer)
    for _ in range(1000):
        assert write(b"x" * 10_000) in (True, False)
    assert write.flush(5)
    os.close(writer)


def test_what_could_not_be_written_is_counted(tmp_path: Path) -> None:
    """A reader that is gone, and one that comes: the lines between them are told, to the last.

    News of lost lines that are lost themselves stand for those lines.
    """
    fifo = tmp_path / "log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)
    try:
        write = Writer(writer)
        assert write(b"one\n")
        assert write.flush(5)
        assert os.read(reader, 100) == b"one\n"
        os.close(reader)
        out = Output(write, ["loop"], missed=write.missed)
        for _ in range(10):
            out.lines("loop", [(True, b"a"), (True, b"b")])
            assert write.flush(5)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        out.lines("loop", [(True, b"c")])
        assert write.flush(5)
        told = os.read(reader, 1000)
        assert told == b"luggage | 20 lines lost: nobody read the log\nloop    | c\n"
        out.lines("loop", [(True, b"d")])
        assert write.flush(5)
        assert os.read(reader, 1000) == b"loop    | d\n"
    finally:
        os.close(reader)
        os.close(writer)


def test_what_one_output_has_lost_the_next_one_tells(pipe: tuple[int, int]) -> None:
    """Checks and releases have one of their own, which is over before there was room again."""
    reader, writer = pipe
    full = fill(writer)
    write = Writer(writer, limit=10)
    first = Output(write, ["loop"], missed=write.missed)
    first.lines("loop", [(True, b"taken")])
    first.lines("loop", [(True, b"a"), (True, b"b")])
    first.say("c")
    write.miss(first.untold())
    assert first.untold() == 0
    read = b""
    while len(read) < full + 16:
        read += os.read(reader, 100_000)
    assert write.flush(5)
    second = Output(write, ["loop"], missed=write.missed)
    second.say("on")
    assert os.read(reader, 1000) == b"luggage | 3 lines lost: nobody read the log\nluggage | on\n"
