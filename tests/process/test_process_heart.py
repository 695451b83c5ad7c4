"""A loop that no longer beats is ended and starts again; one that is honest never is."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from pathlib import Path

import pytest
from running import Made, started
from tables import table

BEATS = """
print("lives in", os.getpid())
for number in range(3):
    run.beat()
    time.sleep(0.2)
{wedge}
"""
LOCK = """
def stuck_here():
    lock = threading.Lock()
    with lock, lock:
        pass
stuck_here()
"""
HELD = """
def stuck_here():
    ctypes.PyDLL(None).sleep(86400)
stuck_here()
"""
DEAF = """
signal.signal(signal.SIGABRT, lambda *_: print("not now"))
child = subprocess.Popen(["/bin/sleep", "1000"])
while True:
    time.sleep(0.1)
"""
STARTS = """
os.system("ls -l /proc/self/fd")
run.beat()
os.system("ls -l /proc/self/fd; echo done")
signal.pause()
"""


@pytest.mark.parametrize("wedge", [LOCK, HELD], ids=["python", "the interpreter's lock held"])
def test_one_that_is_stuck_tells_where_and_is_started_again(made: Made, wedge: str) -> None:
    """The traceback of its threads is in the log, behind its name; then comes its next life."""
    table(made, 'run.Loop("stuck", beat=1)', stuck=BEATS.format(wedge=wedge))
    with started(made) as running:
        running.wait_for(r"^stuck +. lives in")
        pid = running.wait_for_child("stuck")
        running.wait_for(
            r"luggage +. error: stuck: no beat for \d+\.\d s: 1 s are allowed; what its threads"
        )
        running.wait_for(r"stuck +. .* in stuck_here")
        running.wait_for(r"stuck: no beat for .*: killed by signal 6 \(SIGABRT\) after .* again in")
        before = len(running.lines)
        running.wait_for(r"lives in", after=before)
        assert running.wait_for_child("stuck") != pid
        assert "Fatal Python error: Aborted" in running.text


def test_one_that_does_not_heed_is_killed_with_its_group(made: Made) -> None:
    """Whoever handles ABRT itself has a second more."""
    table(made, 'run.Loop("deaf", beat=1)', deaf=BEATS.format(wedge=DEAF))
    with started(made) as running:
        pid = int(running.wait_for(r"lives in (\d+)")[1])
        [child] = _when(lambda: running.children("1000", pid))
        running.wait_for(r"deaf +. not now")
        running.wait_for(r"deaf: no beat for .*: killed by signal 9 \(SIGKILL\)")
        _when(lambda: not Path(f"/proc/{child}").exists() or _state(child) == "Z")


def test_what_it_starts_gets_no_descriptor_of_its_own(made: Made) -> None:
    """Neither before its first beat nor after: only what a program expects, and no page to beat."""
    table(made, 'run.Loop("parent", beat=60)', parent=STARTS)
    with started(made) as running:
        running.wait_for(r"^parent +. done")
        found = re.findall(r"^parent +. \S+ .* (\d+) -> (\S+)", running.text, re.MULTILINE)
        assert len(found) >= 8
        assert [it for it in found if int(it[0]) > 2 and not it[1].startswith("/proc/")] == []


def test_each_life_has_time_until_its_first_beat(made: Made) -> None:
    """One that needs longer to start than a beat takes is let start, its second life as well."""
    slow = """
    print("starts")
    time.sleep(2.5)
    print("beats")
    while True:
        run.beat()
        time.sleep(0.2)
    """
    table(made, 'run.Loop("slow", beat=2)', slow=_plain(slow))
    with started(made) as running:
        for _ in range(2):
            before = len(running.lines)
            running.wait_for("slow +. beats", after=before)
            time.sleep(1)
            os.kill(running.wait_for_child("slow"), signal.SIGKILL)
            running.wait_for("slow: killed by signal 9", after=before)
        assert "no beat" not in running.text


def test_grace_ends_as_well(made: Made) -> None:
    """One that never beats is ended when the time for its first one is over."""
    table(made, 'run.Loop("mute", beat=1, grace=1.5)', mute="time.sleep(1000)")
    with started(made) as running:
        running.wait_for(r"mute: no beat since its start, for \d+\.\d s")
        running.wait_for(r"mute: no beat since its start, .*: killed by signal 6")


def test_all_that_stood_still_is_forgiven(made: Made) -> None:
    """A paused container: everything stops for longer than a beat, and nothing is killed."""
    beats = """
    print("lives in", os.getpid())
    while True:
        run.beat()
        time.sleep(0.2)
    """
    table(made, 'run.Loop("beats", beat=2)', beats=_plain(beats))
    with started(made) as running:
        running.wait_for("beats +. lives in")
        everyone = [running.process.pid, running.wait_for_child("beats")]
        for _ in range(3):
            time.sleep(0.8)
            for number in (signal.SIGSTOP, signal.SIGCONT):
                for pid in everyone:
                    os.kill(pid, number)
                if number == signal.SIGSTOP:
                    time.sleep(4)
        time.sleep(2)
        assert "no beat" not in running.text
        assert running.wait_for_child("beats") == everyone[1]
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def _plain(body: str) -> str:
    return "\n".join(line[4:] for line in body.splitlines())


def _state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"


def _when(look, seconds: float = 10):  # type: ignore[no-untyped-def]
    """What `look` finds, as soon as that is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("in vain")


def test_a_wedged_life_does_not_leave_its_children(made: Made) -> None:
    """What it forked goes with it: the next life would meet it."""
    wedge = 'subprocess.Popen(["/bin/sleep", "1001"])\n' + LOCK
    table(made, 'run.Loop("stuck", beat=1)', stuck=BEATS.format(wedge=wedge))
    with started(made) as running:
        pid = int(running.wait_for(r"lives in (\d+)")[1])
        [child] = _when(lambda: running.children("1001", pid))
        running.wait_for(r"stuck: no beat for .*: killed by signal 6")
        _when(lambda: _state(child) == "Z")


def test_a_child_does_not_beat_for_its_parent(made: Made) -> None:
    """One that was forked, and goes round, while the loop itself is stuck; both are ended."""
    wedge = (
        """
child = os.fork()
while child == 0:
    run.beat()
    time.sleep(0.1)
print("child", child)
"""
        + LOCK
    )
    table(made, 'run.Loop("stuck", beat=1)', stuck=BEATS.format(wedge=wedge))
    with started(made) as running:
        child = int(running.wait_for(r"child (\d+)")[1])
        running.wait_for(r"stuck: no beat for .*: killed by signal 6")
        _when(lambda: _state(child) == "Z")
