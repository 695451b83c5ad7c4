"""A log whose reader is slow: what prints waits a moment, and not for ever."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from luggage.run.log.pressure import FEW, PATIENCE, REST, STEP, Pause, Pressure
from luggage.run.log.writer import Writer

LIMIT = 400_000  # bytes
PIPE = 65_536


class Reader:
    """One end of a pipe, as Twisted's reactor sees it."""

    def __init__(self) -> None:
        self.reads = True

    def stopReading(self) -> None:
        self.reads = False

    def startReading(self) -> None:
        self.reads = True


class Transport:
    """A process with stdout, stderr, and the descriptor on which it says that it is ready."""

    def __init__(self) -> None:
        self.pipes = {1: Reader(), 2: Reader(), 5: Reader()}

    def reads(self) -> list[bool]:
        return [reader.reads for reader in self.pipes.values()]


@pytest.fixture
def pipe() -> Iterator[tuple[int, Writer]]:
    """The end that is read, and what writes to the other: nothing any more when that is closed."""
    reader, end = os.pipe()
    writer = Writer(end, LIMIT)
    yield reader, writer
    os.close(reader)
    assert writer.flush(10)
    os.close(end)


def fill(writer: Writer, size: int) -> None:
    while writer.waiting < size and writer(b"x" * 999 + b"\n"):
        pass


def drain(reader: int, writer: Writer, size: int) -> None:
    """Read until no more than `size` bytes wait."""
    while writer.waiting > size:
        os.read(reader, PIPE)


def test_it_waits_until_there_is_room(pipe: tuple[int, Writer]) -> None:
    """From half on to a quarter; what is not output is read all the same."""
    clock, writer, transport = Clock(), pipe[1], Transport()
    pressure = Pressure(clock, writer)
    pressure.hold(transport, 8192)
    assert transport.reads() == [True, True, True]
    fill(writer, LIMIT // 2 + 2 * PIPE)
    pressure.hold(transport, 8192)
    assert transport.reads() == [False, False, True]
    clock.advance(STEP)
    assert transport.reads() == [False, False, True], "no room yet"
    drain(pipe[0], writer, LIMIT // 4)
    clock.advance(STEP)
    assert transport.reads() == [True, True, True]
    assert clock.getDelayedCalls() == []


def test_it_waits_no_longer_than_a_moment(pipe: tuple[int, Writer]) -> None:
    """Where nobody reads, it goes on, and does not wait again until somebody has read."""
    clock, writer, transport = Clock(), pipe[1], Transport()
    pressure = Pressure(clock, writer)
    fill(writer, LIMIT)
    pressure.hold(transport, 8192)
    for _ in range(int(PATIENCE / STEP) - 1):
        clock.advance(STEP)
    assert transport.reads() == [False, False, True]
    clock.advance(3 * STEP)
    assert transport.reads() == [True, True, True]
    pressure.hold(transport, 8192)
    assert transport.reads() == [True, True, True]
    drain(pipe[0], writer, LIMIT // 4)
    pressure.hold(transport, 8192)
    fill(writer, LIMIT)
    pressure.hold(transport, 8192)
    assert transport.reads() == [False, False, True]


def test_all_that_print_wait(pipe: tuple[int, Writer]) -> None:
    """Each when it prints; one whose output is closed meanwhile is none of them any more."""
    clock, writer = Clock(), pipe[1]
    pressure = Pressure(clock, writer)
    one, two, quiet = Transport(), Transport(), Transport()
    fill(writer, LIMIT)
    pressure.hold(one, 8192)
    pressure.hold(two, 8192)
    gone = one.pipes.pop(1)
    assert [it.reads()[-1] for it in (one, two, quiet)] == [True, True, True]
    assert quiet.reads() == [True, True, True]
    drain(pipe[0], writer, LIMIT // 4)
    clock.advance(STEP)
    assert one.reads() == [True, True]
    assert two.reads() == [True, True, True]
    assert not gone.reads


def test_few_bytes_are_followed_by_a_rest(pipe: tuple[int, Writer]) -> None:
    """More lines come meanwhile; who prints much has none."""
    clock, writer, transport = Clock(), pipe[1], Transport()
    pressure = Pressure(clock, writer)
    pressure.hold(transport, FEW)
    assert transport.reads() == [True, True, True]
    pressure.hold(transport, FEW - 1)
    assert transport.reads() == [False, False, True]
    clock.advance(REST)
    assert transport.reads() == [True, True, True]


def test_a_rest_does_not_end_the_waiting_for_room(pipe: tuple[int, Writer]) -> None:
    """Nor does room end a rest: each of the two is waited for."""
    clock, transport = Clock(), Transport()
    writer = pipe[1]
    pressure = Pressure(clock, writer)
    pressure.hold(transport, 100)
    fill(writer, LIMIT * 3 // 4)
    pressure.hold(transport, 100)
    clock.advance(REST)
    assert transport.reads() == [False, False, True]
    drain(pipe[0], writer, LIMIT // 4)
    clock.advance(STEP)
    assert transport.reads() == [True, True, True]


def test_who_reads_in_a_loop_of_its_own_waits_likewise(pipe: tuple[int, Writer]) -> None:
    """From half on to a quarter, a moment at most, and not again until somebody has read."""
    clock, writer = Clock(), pipe[1]
    pause = Pause(writer, clock.seconds)
    assert not pause()
    fill(writer, LIMIT // 2 + 2 * PIPE)
    assert pause()
    drain(pipe[0], writer, LIMIT // 4)
    assert not pause()
    fill(writer, LIMIT)
    assert pause()
    clock.advance(PATIENCE + STEP)
    assert not pause()
    drain(pipe[0], writer, LIMIT * 3 // 8)
    assert not pause()
    drain(pipe[0], writer, LIMIT // 4)
    assert not pause()
    fill(writer, LIMIT)
    assert pause()
