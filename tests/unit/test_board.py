"""One page of memory: the supervisor writes, every process reads."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from luggage import board

ROOT = Path(__file__).resolve().parents[2]
CHILD = """\
import os, sys
from luggage import board
seen = board.inherited(os.environ)
print("there" if seen else "none", flush=True)
for _ in sys.stdin:
    print(seen.stopping, seen.fit, seen.level, seen.trouble, flush=True)
"""


@pytest.fixture
def made() -> Iterator[board.Board]:
    with board.create("warning") as it:
        yield it


def view(it: board.Board) -> board.View:
    found = board.inherited({board.VARIABLE: str(it.fileno())})
    assert found is not None
    return found


def test_a_new_board_tells_of_no_trouble(made: board.Board) -> None:
    """Nothing stops, all is fit, and the level is the one that was given."""
    seen = view(made)
    assert (seen.stopping, seen.fit, seen.level, seen.trouble) == (False, True, "warning", "")


def test_what_is_written_is_read_through_another_mapping(made: board.Board) -> None:
    """Each field, and what is shorter after what was longer."""
    seen = view(made)
    made.stopping, made.fit, made.level = True, False, "debug"
    assert (seen.stopping, seen.fit, seen.level) == (True, False, "debug")
    for text in ("robot, clock", "é", ""):
        made.trouble = text
        assert (seen.trouble, made.trouble) == (text, text)
    made.stopping = False
    assert not seen.stopping


def test_a_process_of_another_program_sees_it(made: board.Board) -> None:
    """A child that inherits the descriptor sees each change, without being told of one."""
    os.set_inheritable(made.fileno(), True)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env={"PYTHONPATH": str(ROOT), board.VARIABLE: str(made.fileno())},
        pass_fds=[made.fileno()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        made.level, made.trouble = "error", "robot"
        print(file=child.stdin, flush=True)
        assert child.stdout.readline() == "False True error robot\n"
        made.stopping = True
        print(file=child.stdin, flush=True)
        assert child.stdout.readline() == "True True error robot\n"
        child.stdin.close()
    assert child.returncode == 0


def test_whoever_inherits_it_cannot_write(made: board.Board) -> None:
    """Not by the descriptor, nor by a mapping of it, nor by making it shorter."""
    number = made.fileno()
    with pytest.raises(PermissionError):
        os.write(number, b"\1")
    with pytest.raises(PermissionError):
        os.ftruncate(number, 0)
    with pytest.raises(PermissionError):
        mmap.mmap(number, board.SIZE)
    assert not made.stopping


def test_a_text_that_is_being_written_is_never_read_in_part(made: board.Board) -> None:
    """A reader sees one text or the other, while another process writes."""
    seen, texts = view(made), ("a" * 2000, "b" * 1500)
    made.trouble = texts[0]
    writer = os.fork()
    if writer == 0:
        for number in range(20_000):
            made.trouble = texts[number % 2]
        os._exit(0)
    while os.waitpid(writer, os.WNOHANG) == (0, 0):
        assert seen.trouble in texts


def test_a_text_too_long_is_cut(made: board.Board) -> None:
    """The page holds what it holds, and what is read is text all the same."""
    made.trouble = "é" * board.SIZE
    cut = view(made).trouble
    assert len(cut) > 1000
    assert set(cut) == {"é"}


def test_a_level_that_there_is_not_is_refused(made: board.Board) -> None:
    """And the level stays."""
    with pytest.raises(ValueError):
        made.level = "loud"
    assert made.level == "warning"


@pytest.mark.parametrize("text", ["", "x", "-1", "²", "99999", "9" * 30, "0"])
def test_a_number_that_is_no_board_s_is_no_board(text: str) -> None:
    """Such as that of a file, or one that another process passed on."""
    assert board.inherited({board.VARIABLE: text}) is None


def test_a_file_is_no_board(tmp_path: Path) -> None:
    """Only a sealed memory file of the right size is."""
    path = tmp_path / "file"
    path.write_bytes(b"\0" * board.SIZE)
    memory = os.memfd_create("other", os.MFD_ALLOW_SEALING)
    with path.open() as file:
        assert board.inherited({board.VARIABLE: str(file.fileno())}) is None
    try:
        os.ftruncate(memory, board.SIZE)
        assert board.inherited({board.VARIABLE: str(memory)}) is None
    finally:
        os.close(memory)


def test_what_reads_it_passes_it_on_to_none(made: board.Board) -> None:
    """The descriptor is for luggage's processes, and not for what those start."""
    os.set_inheritable(made.fileno(), True)
    view(made)
    assert not os.get_inheritable(made.fileno())


def test_without_a_supervisor_there_is_none() -> None:
    """Nothing in the environment, no board."""
    assert board.inherited({}) is None
