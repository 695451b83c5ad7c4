"""What a dead process has left in its group, with real processes and Twisted's own clock."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from luggage.run.life.remains import GRACE, LOOK, Remains


class Told:
    """What the dead process's life is told."""

    def __init__(self) -> None:
        self.news: list[str] = []

    def remains_killed(self, seconds: float) -> None:
        self.news.append(f"killed after {seconds:.0f} s")

    def remains_shut(self) -> None:
        self.news.append("shut")

    def remains_over(self) -> None:
        self.news.append("over")


def dead(script: str, *, leads: bool = True) -> tuple[int, int]:
    """The number of a shell that has ended, and that of a process which it has left behind."""
    words = ["/bin/sh", "-c", f"{script} & echo $!"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=leads) as process:
        assert process.stdout is not None
        return process.pid, int(process.stdout.readline())


def runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def gone(pid: int) -> bool:
    """Whether it ends within some seconds."""
    end = time.monotonic() + 20
    while runs(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not runs(pid)


@pytest.fixture
def left() -> Iterator[list[int]]:
    """The numbers of what is to be killed at the end."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_what_is_left_is_asked_first(left: list[int]) -> None:
    """With TERM, at once; what ends of it is not killed."""
    leader, pid = dead("sleep 1000 >/dev/null")
    left.append(pid)
    clock, told = Clock(), Told()
    remains = Remains(leader, clock, told)
    remains.end()
    assert gone(pid)
    remains.silent()
    clock.advance(LOOK)
    assert "killed after 5 s" not in told.news


def test_what_does_not_heed_is_killed_and_told(left: list[int]) -> None:
    """GRACE seconds later; nobody is waited for then, whoever has the output."""
    leader, pid = dead("trap '' TERM; sleep 1000 >/dev/null")
    left.append(pid)
    clock, told = Clock(), Told()
    remains = Remains(leader, clock, told)
    remains.end()
    clock.advance(GRACE - 0.1)
    assert (runs(pid), told.news) == (True, [])
    clock.advance(0.2)
    assert gone(pid)
    assert told.news == ["killed after 5 s", "shut"]
    remains.silent()
    assert told.news[2:] == ["over"]


def test_workers_may_finish_first(left: list[int]) -> None:
    """They get no signal before their time is over."""
    leader, pid = dead("sleep 1000 >/dev/null")
    left.append(pid)
    clock, told = Clock(), Told()
    remains = Remains(leader, clock, told)
    remains.outlive(35)
    remains.silent()
    clock.advance(34)
    assert (runs(pid), told.news) == (True, [])
    clock.advance(1)
    assert gone(pid)
    assert told.news[0] == "killed after 35 s"


def test_who_led_no_group_has_left_none(left: list[int]) -> None:
    """The group is another's then, such as the supervisor's own."""
    leader, pid = dead("sleep 1000 >/dev/null", leads=False)
    left.append(pid)
    clock, told = Clock(), Told()
    remains = Remains(leader, clock, told)
    remains.end()
    clock.advance(GRACE)
    assert runs(pid)
    assert told.news == ["shut"], "its output is closed all the same"


def test_a_number_that_is_another_processs_is_left_alone(left: list[int]) -> None:
    """The kernel uses a number again only when no group has it any more."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as other:
        left.append(other.pid)
        clock, told = Clock(), Told()
        remains = Remains(other.pid, clock, told)
        remains.end()
        remains.silent()
        clock.advance(GRACE)
        assert other.poll() is None
        assert told.news == ["over"]
        other.kill()
