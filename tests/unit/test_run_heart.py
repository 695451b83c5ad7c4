"""Beats, and the silence between them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from luggage import run
from luggage.run.kernel import heart
from luggage.run.kernel.heart import GAP, LOOK, Heart
from luggage.run.kernel.private import Room
from luggage.run.start import inherit
from luggage.run.table.processes import Process


@pytest.fixture
def watched() -> Iterator[Heart]:
    made = Heart(beat=3, grace=10)
    yield made
    made.close()


def beats(watched: Heart, times: int = 1) -> None:
    """Another process, which has the page by its number, beats."""
    number = watched.descriptor
    code = f"from luggage import run\nfor _ in range({times}): run.beat()"
    environ = {**os.environ, heart.VARIABLE: str(number)}
    subprocess.run([sys.executable, "-c", code], env=environ, pass_fds=[number], check=True)


def test_silence_is_counted_from_the_last_beat(watched: Heart) -> None:
    """Before the first one, the grace of a new life is allowed; then no more than `beat`."""
    assert watched.allowed == 10
    assert not watched.look(LOOK)
    assert not watched.look(LOOK)
    assert watched.silent == 2 * LOOK
    beats(watched, 3)
    assert watched.look(LOOK)
    assert (watched.silent, watched.allowed) == (0, 3)
    assert not watched.look(LOOK)
    assert watched.silent == LOOK
    beats(watched)
    assert watched.look(GAP)


def test_time_in_which_the_supervisor_did_not_run_is_none(watched: Heart) -> None:
    """A paused container, a laptop that slept: who could not beat has missed none."""
    watched.look(LOOK)
    watched.look(3600.0)
    assert watched.silent == LOOK
    watched.look(GAP)
    assert watched.silent == LOOK + GAP


def test_nobody_can_shorten_the_page(watched: Heart) -> None:
    """Its supervisor, which looks at it, would get SIGBUS, and with it everything would end."""
    with pytest.raises(PermissionError):
        os.ftruncate(watched.descriptor, 0)
    watched.look(LOOK)


def test_a_forked_childs_beats_are_none_of_its_parents(watched: Heart) -> None:
    """As multiprocessing makes them: a child that goes on would hide that its parent is stuck."""
    code = """
import os
from luggage import run
run.beat()
child = os.fork()
if child:
    os.waitpid(child, 0)
    run.beat()
else:
    run.beat()
    run.beat()
"""
    number = watched.descriptor
    environ = {**os.environ, heart.VARIABLE: str(number)}
    subprocess.run([sys.executable, "-c", code], env=environ, pass_fds=[number], check=True)
    assert int.from_bytes(os.pread(number, 8, 0), sys.byteorder) == 2


def test_a_number_that_is_another_file_s_is_left_alone(tmp_path: Path) -> None:
    """A process that a loop starts may inherit the variable, and have opened a file of its own."""
    mine = tmp_path / "mine"
    mine.write_bytes(bytes(8))
    with mine.open("r+b") as file:
        number = file.fileno()
        code = f"import os\nfrom luggage import run\nrun.beat()\nos.fstat({number})"
        environ = {**os.environ, heart.VARIABLE: str(number)}
        subprocess.run([sys.executable, "-c", code], env=environ, pass_fds=[number], check=True)
    assert mine.read_bytes() == bytes(8)


@pytest.mark.parametrize("number", ["", "x", "-1", "999", "9" * 20])
def test_without_a_supervisor_a_beat_is_nothing(number: str) -> None:
    """A loop that is run by hand needs no page, and none that is broken."""
    code = "from luggage import run\nrun.beat()\nrun.beat()"
    environ = {**os.environ, heart.VARIABLE: number}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)
    assert run.beat is heart.beat


def test_a_first_life_has_a_heart_as_well() -> None:
    """One that is started before its monitor is there."""
    words = [sys.executable, "-c", "from luggage import run; run.beat()"]
    process = Process("loop", "loop", beat=5, grace=9)
    started = inherit.start(process, words, dict(os.environ), None, Room())
    assert started is not None and started.heart is not None
    os.waitpid(started.pid, 0)
    assert started.heart.look(LOOK)
    assert started.heart.allowed == 5
    started.heart.close()
    for pipe in started.pipes.values():
        assert os.read(pipe, 1000) == b""
        os.close(pipe)
