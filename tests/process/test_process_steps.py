"""Checks and releases come before all else, and what fails there is the container's failure."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
from operated import ctl
from running import Made, started
from tables import table

LOOP = 'run.Loop("spare")'
IGNORING = (
    sys.executable,
    "-c",
    "import os, signal, sys\n"
    "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])",
)
OK = 'print("all is well with", len(os.environ["LUGGAGE_KEY_FD"]) > 0)'


def test_everything_has_its_order(made: Made) -> None:
    """All checks, then each release, then what stays; what they print stands behind their names."""
    table(
        made,
        LOOP,
        'run.Release("second")',
        'run.Check("fine")',
        'run.Release("third")',
        'run.Release("never", unless="NO_SPARE")',
        fine=OK,
        second='time.sleep(0.3)\nprint("second is done")',
        third='print("third is done")',
        never="print('never')",
    )
    with started(made, NO_SPARE="1") as running:
        running.wait_for("spare is there")
        wanted = ["check: fine", "all is well with True", "release: second", "second is done"]
        wanted += ["release: third", "third is done", "starting spare", "spare is there"]
        places = [running.text.index(words) for words in wanted]
        assert places == sorted(places), running.text
        assert "never" not in running.text
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_an_object_that_one_prints_is_a_line_of_the_log_however_long(made: Made) -> None:
    """As it is for what stays."""
    table(
        made,
        LOOP,
        'run.Release("telling")',
        telling="import json\nprint(json.dumps({'message': 'x' * 40_000, 'rows': 3}))",
    )
    with started(made, LOG_FORMAT="json") as running:
        running.wait_for("spare is there")
        [line] = [json.loads(it) for it in running.lines if b"xxx" in it]
        assert (len(line["message"]), line["rows"]) == (40_000, 3)


def test_all_checks_are_run_and_all_that_fail_are_told(made: Made) -> None:
    """The exit status is that of the first that failed; no release has been begun."""
    table(
        made,
        'run.Check("one")',
        'run.Check("two")',
        'run.Check("fine")',
        'run.Release("migrate")',
        LOOP,
        one='time.sleep(0.5)\nprint("no database")\nreturn 3',
        two='sys.stdout.write("without a line end")\nsys.stdout.flush()\nos.kill(os.getpid(), 9)',
        fine=OK,
        migrate='print("begun")',
    )
    with started(made) as running:
        assert running.wait() == 3
        end = running.text.partition("luggage | one: its last lines were:")[2].splitlines()
        assert end[1] == "one     | no database"
        assert end[2:4] == ["luggage | two: its last lines were:", "two     | without a line end"]
        assert end[-3:] == [
            "luggage | error: check 'one': exited with status 3",
            "luggage | error: check 'two': killed by signal 9 (SIGKILL)",
            "luggage | nothing else is started",
        ]
        assert "all is well" in running.text
        assert "begun" not in running.text and "spare" not in running.text


def test_a_release_that_fails_ends_everything(made: Made) -> None:
    """With its exit status and its last lines; neither the next release nor anything else runs."""
    table(
        made,
        'run.Release("migrate")',
        'run.Release("later")',
        LOOP,
        migrate='print("one table is locked")\nos.kill(os.getpid(), signal.SIGKILL)',
        later='print("begun")',
    )
    with started(made) as running:
        assert running.wait() == 137
        assert "luggage | migrate: its last lines were:" in running.text
        assert running.text.count("one table is locked") == 2
        assert "luggage | error: release 'migrate': killed by signal 9 (SIGKILL)" in running.text
        assert "begun" not in running.text and "spare" not in running.text


def test_nobody_is_served_before_a_release_is_done(made: Made) -> None:
    """The port is taken, so that no other can have it, but whoever comes is refused until then.

    Nor does ctl find anything to order about, and it says why."""
    table(
        made,
        'run.Release("migrate")',
        'run.Web("deploy_under_test.app:app")',
        migrate='print("begun")\nwhile not Path("go").exists():\n    time.sleep(0.02)',
    )
    with started(made) as running:
        running.wait_for("migrate +. begun")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.port), 2)
        asked = ctl(made, "status")
        assert asked.returncode == 1
        assert "it is at its checks and releases, or ends\n" in asked.stderr
        (made.folder / "go").touch()
        running.wait_for("gunicorn: ready")
        assert running.get("/")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_release(made: Made, number: signal.Signals) -> None:
    """It is asked with TERM and waited for; the exit status is 0, as at any moment of the start."""
    table(
        made,
        'run.Release("migrate")',
        'run.Web("deploy_under_test.app:app")',
        migrate="""
def undone(*_):
    time.sleep(0.5)
    print("all is undone")
    sys.exit(5)
signal.signal(signal.SIGTERM, undone)
print("begun")
time.sleep(100)
""",
    )
    with started(made) as running:
        running.wait_for("migrate +. begun")
        running.signal(number)
        assert running.wait() == 0
        assert "all is undone" in running.text
        assert "told to stop: nothing else is started" in running.text
        assert "gunicorn |" not in running.text


def test_what_a_release_leaves_behind_is_not_waited_for(made: Made) -> None:
    """A daemon that has its output; it is an orphan, and is reaped when it ends."""
    table(
        made,
        'run.Release("migrate")',
        LOOP,
        migrate='subprocess.Popen(["/bin/sleep", "100"])\nprint("done")',
    )
    with started(made) as running:
        running.wait_for("spare is there", seconds=30)
        [orphan] = running.children("sleep 100")
        os.kill(orphan, signal.SIGKILL)
        end = time.monotonic() + 10
        while Path(f"/proc/{orphan}").exists() and time.monotonic() < end:
            time.sleep(0.01)
        assert not Path(f"/proc/{orphan}").exists()


def test_what_a_release_has_orphaned_is_reaped_while_it_runs(made: Made) -> None:
    """It may take hours; and the web server that waits for its turn serves in the end."""
    table(
        made,
        'run.Release("migrate")',
        'run.Web("deploy_under_test.app:app")',
        migrate="""
subprocess.run(["/bin/sh", "-c", "for i in 1 2 3; do sleep 0.1 & echo $! >> orphans; done"])
Path("begun").touch()
while not Path("go").exists():
    time.sleep(0.02)
""",
    )
    with started(made) as running:
        end = time.monotonic() + 30
        while not (made.folder / "begun").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        orphans = (made.folder / "orphans").read_text().split()
        assert len(orphans) == 3
        while any(Path(f"/proc/{orphan}").exists() for orphan in orphans):
            assert time.monotonic() < end, running.tree()
            time.sleep(0.02)
        (made.folder / "go").touch()
        running.wait_for("gunicorn: ready", seconds=30)
        assert running.get("/")[0] == 200


def test_the_last_lines_of_a_release_are_told_to_the_last(made: Made) -> None:
    """As much as a pipe holds may be in it when it dies, on stdout and on stderr."""
    table(
        made,
        'run.Release("migrate")',
        LOOP,
        migrate="""
for stream in (1, 2):
    os.write(stream, b"".join(b"%d %06d\\n" % (stream, it) for it in range(7000)) + b"end")
os.kill(os.getpid(), signal.SIGKILL)
""",
    )
    with started(made) as running:
        assert running.wait() == 137
        before = running.text.partition("luggage | migrate: its last lines were:")[0].splitlines()
        told = [line.removeprefix("migrate | ") for line in before if line.startswith("migrate")]
        for stream in (1, 2):
            mine = [line for line in told if line.startswith(f"{stream} ")]
            assert mine == [f"{stream} {number:06}" for number in range(7000)]
        assert told.count("end") == 2


def test_a_parent_that_ignores_its_children_changes_nothing(made: Made) -> None:
    """SIGCHLD is inherited as ignored: how a release, a loop and a command end is known still."""
    table(
        made,
        'run.Release("migrate")',
        'run.Loop("dies")',
        migrate='print("done")',
        dies="sys.exit(3)",
    )
    with started(made, before=IGNORING) as running:
        running.wait_for("dies: exited with status 3")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    with started(made, "run", "/bin/sh", "-c", "exit 7", before=IGNORING) as running:
        assert running.wait() == 7


def test_a_flood_waits_for_a_reader_that_is_late(made: Made) -> None:
    """Ten MB at once, while nobody reads for a moment: not one line is lost."""
    table(
        made,
        'run.Release("flood")',
        LOOP,
        flood="""
for number in range(100_000):
    print(f"{number:06} {'x' * 90}")
""",
    )
    with started(made, unread=True) as running:
        assert running.process.stdout is not None
        select.select([running.process.stdout], [], [], 20)
        time.sleep(0.3)
        running.reader.start()
        running.wait_for("spare is there", seconds=40)
        told = [line[10:16] for line in running.lines if line.startswith(b"flood   | ")]
        assert told == [b"%06d" % number for number in range(100_000)]
        assert "lines lost" not in running.text


def test_lines_of_a_release_that_are_lost_are_counted(made: Made) -> None:
    """To the last, whichever of the two phases tells it."""
    table(
        made,
        'run.Release("flood")',
        'run.Loop("up")',
        flood="""
for number in range(100_000):
    print(f"{number:06} {'x' * 90}")
Path("flooded").touch()
""",
        up='while True:\n    print("it is up", flush=True)\n    time.sleep(0.2)',
    )
    with started(made, unread=True) as running:
        end = time.monotonic() + 40
        while not (made.folder / "flooded").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        running.reader.start()
        running.wait_for("it is up", seconds=40)
        told = [line for line in running.lines if line.startswith(b"flood   | ")]
        lost = sum(int(it) for it in re.findall(r"luggage \| (\d+) lines lost", running.text))
        assert 0 <= len(told) + lost - 100_000 < 50, "the other processes' lines are few"


def test_each_has_a_room_of_its_own(made: Made) -> None:
    """TMPDIR is empty for each life and gone at the end; RUNTIME_DIRECTORY stays from life to
    life; nobody else of this user's group may look into them."""
    tell = """
here = {name: Path(os.environ[name]) for name in ("TMPDIR", "RUNTIME_DIRECTORY")}
for name, folder in here.items():
    print(name, folder, oct(folder.stat().st_mode)[-3:], len(list(folder.iterdir())))
    (folder / f"{time.time()}").touch()
time.sleep(1000)
"""
    (made.folder / "tmp").mkdir()
    table(made, 'run.Loop("tell")', 'run.Web("deploy_under_test.app:app")', tell=tell)
    with started(made, TMPDIR=str(made.folder / "tmp")) as running:
        first = running.wait_for(r"TMPDIR (\S+/tmp/luggage-tmp-\w+/tell-\w+) 700 0")[1]
        running.wait_for(r"RUNTIME_DIRECTORY \S+/run/luggage/private/tell 700 0")
        before = len(running.lines)
        os.kill(running.wait_for_child("tell"), signal.SIGKILL)
        second = running.wait_for(r"TMPDIR (\S+) 700 0", after=before)[1]
        running.wait_for(r"RUNTIME_DIRECTORY \S+/run/luggage/private/tell 700 1", after=before)
        assert first != second
        running.wait_for("gunicorn: ready")
        master = running.wait_for_child("gunicorn")
        assert list((made.folder / "tmp").glob("luggage-tmp-*/gunicorn-*"))
        assert (made.folder / "run/luggage/private/gunicorn").is_dir()
        assert master
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    assert list((made.folder / "tmp").iterdir()) == []
