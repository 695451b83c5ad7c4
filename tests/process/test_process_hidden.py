"""What another process of the same user can see of one that holds the key: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from running import CANARY, PACKAGE, Made, free_port, started

# Root sees everything: without capabilities it is a user like any other.
PLAIN = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
# What an attacker's program of this user would try: each line tells what it could read.
READER = """\
import os, sys
for pid in sys.argv[1:]:
    for name in ("environ", "mem", "maps", "auxv"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                file.read(1) if name != "mem" else None
            print(pid, name)
        except PermissionError:
            pass
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            open(f"/proc/{pid}/fd/{number}", "rb")
            print(pid, "fd", number)
    except PermissionError:
        pass
"""
# As `docker run --init` or a shell script do: it stays, and hands signals on.
WRAPPER = f"trap 'kill -TERM $!' TERM; {sys.executable} -m {PACKAGE} start & wait $!; wait $!"


def seen(*pids: int) -> list[str]:
    """What a process of the same user, without capabilities, can read of `pids`."""
    words = [*PLAIN, sys.executable, "-c", READER, *map(str, pids)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_no_other_process_of_the_user_looks_into_one_that_holds_the_key(made: Made) -> None:
    """Neither memory nor environment nor the key's descriptor, of any process of the tree."""
    with started(made, before=PLAIN) as running:
        running.wait_for("gunicorn: ready")
        running.wait_for("loop +. the secret has")
        running.wait_for("spare is there")
        assert running.get("/")[1].split()[1] == str(len(CANARY)), "they read it all the same"
        pids = sorted(running.tree())
        assert len(pids) == 5
        assert seen(*pids) == []
        limits = [Path(f"/proc/{pid}/limits").read_text() for pid in pids]
        assert all(
            line.split()[4] == "0"
            for text in limits
            for line in text.splitlines()
            if line.startswith("Max core")
        ), "no core dump"
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_the_reader_of_these_tests_can_read() -> None:
    """It sees a process that hides nothing: what it does not see above is hidden."""
    with subprocess.Popen([*PLAIN, "sleep", "60"], env={"SECRET_KEY": "x", **os.environ}) as other:
        try:
            while Path(f"/proc/{other.pid}/comm").read_text() != "sleep\n":
                pass
            assert f"{other.pid} environ" in seen(other.pid)
            assert f"{other.pid} mem" in seen(other.pid)
        finally:
            other.kill()


def test_a_process_in_front_that_keeps_the_key_is_told_of(made: Made) -> None:
    """A shell or an init that was given SECRET_KEY has it still: one warning, which names it."""
    with started(made, instead=["/bin/sh", "-c", WRAPPER]) as running:
        running.wait_for("gunicorn: ready")
        warnings = [line for line in running.text.splitlines() if "warning:" in line]
        [warning] = warnings
        assert f"process {running.process.pid} (sh) keeps SECRET_KEY" in warning
        assert "SECRET_KEY_FILE" in warning
        assert made.key not in running.text
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_where_nothing_keeps_the_key_there_is_no_warning(made: Made, tmp_path: Path) -> None:
    """Started directly, or with the key in a file whatever stands in front."""
    (tmp_path / "key").write_text(made.key + "\n")
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        assert "warning" not in running.text
    environ = made.environ(
        SECRET_KEY_FILE=str(tmp_path / "key"), SECRET_KEY="", PORT=str(free_port())
    )
    with started(made, instead=["/bin/sh", "-c", WRAPPER], environ=environ) as running:
        running.wait_for("gunicorn: ready")
        assert "warning" not in running.text
