"""What is too long for a pipe to take at once is in whole lines, and none of them begins as one."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luggage.run.log import pieces


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@given(st.text(alphabet="aé😀 ", max_size=3), st.lists(st.integers(0, 9000), max_size=6))
def test_each_write_is_whole_lines_that_go_at_once(start: str, lengths: list[int]) -> None:
    """Nothing is lost, no character is cut, and what goes on is set in."""
    alphabet = (start or "x").encode()
    text = b"\n".join([b"head", *((alphabet * (n + 1))[:n] for n in lengths)]) + b"\n"
    text = text.decode(errors="ignore").encode()
    writes = list(pieces.lines(text))
    assert all(0 < len(it) <= pieces.WHOLE and it.endswith(b"\n") for it in writes)
    told = b"".join(writes)
    told.decode()
    lines = told.split(b"\n")[:-1]
    if max(map(len, text.split(b"\n"))) < pieces.WHOLE:
        assert told == text
    else:
        assert len(lines) > text.count(b"\n")
    assert told.translate(None, b"\n ") == text.translate(None, b"\n ")


def test_a_line_ends_with_a_line_feed_alone() -> None:
    """As its reader has it: after another end, another's line would go on in its middle."""
    text = b"a\rb" * 3000 + b"\n"
    assert all(it.endswith(b"\n") for it in pieces.lines(text))


def test_a_long_line_goes_on_set_in() -> None:
    told = b"".join(pieces.lines(b"x" * 10_000 + b"\n")).split(b"\n")
    assert [len(it) for it in told] == [4095, 4095, 10_000 - 4095 - 4093 + 2, 0]
    assert [it[:3] for it in told] == [b"xxx", b"  x", b"  x", b""]


def test_a_pipe_is_made_wider_and_not_narrower(pipe: tuple[int, int]) -> None:
    pieces.widen(pipe[1])
    wide = fcntl.fcntl(pipe[1], fcntl.F_GETPIPE_SZ)
    assert wide >= pieces.ROOM
    fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, 2 * wide)
    pieces.widen(pipe[1])
    assert fcntl.fcntl(pipe[1], fcntl.F_GETPIPE_SZ) == 2 * wide


def test_room_is_waited_for(pipe: tuple[int, int]) -> None:
    """Until there is far more than is needed: others write meanwhile."""
    reading, writing = pipe
    size = fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ)
    os.write(writing, bytes(size))
    read: list[int] = []

    def follow() -> None:
        while sum(read) < size // 2:
            time.sleep(0.01)
            read.append(len(os.read(reading, 4096)))

    reader = threading.Thread(target=follow)
    reader.start()
    pieces.await_room(writing, 5000)
    assert sum(read) >= size // 2 - 4096
    reader.join()


def test_what_is_no_pipe_has_room() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        began = time.monotonic()
        pieces.await_room(null, 1 << 20)
        pieces.widen(null)
        assert time.monotonic() - began < pieces.PATIENCE
    finally:
        os.close(null)
