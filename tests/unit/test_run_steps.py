"""Checks and releases: what they print, what they leave behind, and how they end."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from luggage.run.kernel.private import Private
from luggage.run.log.output import Lines
from luggage.run.start.steps import Steps
from luggage.run.table.processes import Process

MIGRATE = Process("migrate", "migrate", kind="release")
PIPE = 65_536  # bytes that one holds


def dead(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


class Heard:
    """An output that is slow, and counts what comes when the process is dead."""

    def __init__(self) -> None:
        self.late = 0  # bytes

    def stream(self) -> Lines:
        return Lines()

    def lines(self, _name: str, pieces: list[tuple[bool, bytes]], pid: int, _stream: int) -> None:
        if pieces:
            if dead(pid):
                self.late += sum(len(text) + 1 for _, text in pieces)
            assert self.late < 10 * PIPE, "it is read without an end"
            time.sleep(0.02)


@pytest.fixture
def rooms(tmp_path: Path) -> Private:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "kept").mkdir()
    return Private(tmp_path / "temporary", tmp_path / "kept")


@pytest.fixture
def heard() -> Heard:
    return Heard()


def steps(words: list[str], output: Heard, rooms: Private) -> Steps:
    """Those that run `words`."""
    return Steps(
        command=lambda _: words, environ=dict(os.environ), output=output, rooms=rooms, stop=()
    )


def test_what_is_left_behind_may_print_without_an_end(heard: Heard, rooms: Private) -> None:
    """Only what a step has printed itself is waited for; what goes on gets SIGPIPE then."""
    script = "yes & yes & sleep 0.2; exit 3"
    [ended] = steps(["/bin/sh", "-c", script], heard, rooms).run([MIGRATE])
    assert (ended.words, ended.status) == ("exited with status 3", 3)
    assert heard.late <= 2 * PIPE


def test_why_one_cannot_be_started_is_told(heard: Heard, rooms: Private, tmp_path: Path) -> None:
    """In the system's words; and its TMPDIR is gone."""
    [ended] = steps([str(tmp_path / "nothing")], heard, rooms).run([MIGRATE])
    assert (ended.words, ended.status) == ("cannot be started: no such file or directory", 127)
    assert list((tmp_path / "temporary").iterdir()) == []
