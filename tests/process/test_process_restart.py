"""What dies comes back, is told, and takes nobody's request with it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Made, Running, message, started, within
from tables import table

SECOND = 1.0


@contextlib.contextmanager
def visitor(running: Running) -> Iterator[list[float | str]]:
    """A client that asks again and again: how long each answer took, or what went wrong."""
    results: list[float | str] = []
    leaves = threading.Event()

    def ask() -> None:
        while not leaves.is_set():
            began = time.monotonic()
            try:
                running.get("/")
                results.append(time.monotonic() - began)
            except (OSError, urllib.error.URLError) as error:
                results.append(repr(error))
            time.sleep(0.005)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield results
    finally:
        leaves.set()
        thread.join()


def failures(results: list[float | str]) -> list[str]:
    return [result for result in results if isinstance(result, str)]


def slowest(results: list[float | str]) -> float:
    return max(result for result in results if isinstance(result, float))


def test_a_killed_gunicorn_costs_no_request(made: Made) -> None:
    """kill -9 of gunicorn's master: its socket lives on, so every client is served in a second."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")

        def kill() -> float:
            master = running.wait_for_child("gunicorn")
            with visitor(running) as results:
                time.sleep(0.3)
                before, death = len(running.lines), time.monotonic()
                os.kill(master, signal.SIGKILL)
                told = r"gunicorn: killed by signal 9 \(SIGKILL\) after .* s; starting it again "
                running.wait_for(f"{told}(in|now)", after=before)
                ready = running.when("gunicorn: ready", after=before)
                time.sleep(0.3)
            assert failures(results) == [], "however long it takes"
            assert running.wait_for_child("gunicorn") != master
            return max(ready - death, slowest(results))

        within(SECOND, kill)


def test_a_killed_master_lets_its_workers_finish(made: Made) -> None:
    """A request in flight is answered although gunicorn's master was killed meanwhile."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        [master] = running.children("gunicorn")
        answers: list[tuple[int, str]] = []
        thread = threading.Thread(target=lambda: answers.append(running.get("/slow?4")))
        thread.start()
        time.sleep(0.3)
        before = len(running.lines)
        os.kill(master, signal.SIGKILL)
        running.wait_for("gunicorn: ready", after=before)
        assert answers == [], "the successor is there before the old worker has finished"
        thread.join()
        [(status, _)] = answers
        assert status == 200


def test_a_killed_worker_is_replaced(made: Made) -> None:
    """kill -9 of a worker: gunicorn tells of it and has another one within a second."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        [master] = running.children("gunicorn")

        def kill() -> float:
            [worker] = running.children("gunicorn", master)
            with visitor(running) as results:
                time.sleep(0.2)
                before, death = len(running.lines), time.monotonic()
                os.kill(worker, signal.SIGKILL)
                running.wait_for(rf"Worker \(pid:{worker}\) was sent SIGKILL", after=before)
                served = len(results)
                while len(results) < served + 3:
                    time.sleep(0.01)
                back = time.monotonic()
            assert len(failures(results)) <= 1, "at most the one request that it was answering"
            assert running.children("gunicorn", master) != [worker]
            return max(back - death, slowest(results))

        within(SECOND, kill)
        assert [master] == running.children("gunicorn")


def test_a_killed_loop_is_back_within_a_second(made: Made) -> None:
    """kill -9 of a loop: told in the log, and there again."""
    with started(made) as running:
        running.wait_for("loop +. goes round")

        def kill() -> float:
            loop = running.wait_for_child("loop")
            before, death = len(running.lines), time.monotonic()
            os.kill(loop, signal.SIGKILL)
            running.wait_for(r"loop: killed by signal 9 \(SIGKILL\)", after=before)
            return running.when(r"loop +. the secret has 24 letters", after=before) - death

        within(SECOND, kill)


def test_a_loop_that_dies_at_once_is_tried_more_and_more_slowly(made: Made) -> None:
    """Its exit status and its last words are told; the pauses double; the rest goes on."""
    with started(made, LOOP_DOES="die") as running:
        running.wait_for(r"loop: exited with status 7 after .*; starting it again in 0\.4 s")
        words = [line for line in running.lines if b"last words, without a line end" in line]
        assert words[0] == b"loop     | last words, without a line end"
        order = running.text
        assert order.index("last words") < order.index("exited with status 7")
        assert "again in 0.1 s" in order and "again in 0.2 s" in order
        running.wait_for("gunicorn: ready")
        assert running.get("/")[0] == 200


@pytest.mark.parametrize(("does", "workers"), [("die", "3"), ("vanish", "1")])
def test_a_crash_loop_of_the_web_server_ends_everything(
    made: Made, does: str, workers: str
) -> None:
    """Five deaths in a row without being ready: its exit status, and its last lines at the end."""
    with started(made, APP_DOES=does, WEB_CONCURRENCY=workers) as running:
        status = running.wait(60)
        assert status == (4 if does == "die" else 3)
        assert "Traceback" not in running.text
        assert f"exited with status {status}" in running.text
        assert "for the 5th time without having become ready" in running.text
        end = running.lines[-21:]
        assert end[0] == b"luggage  | gunicorn: its last lines were:"
        assert all(line.startswith(b"gunicorn | ") for line in end[1:])
        wanted = "the app cannot start" if does == "die" else "no worker has become ready"
        assert wanted.encode() in b"".join(end)


@contextlib.contextmanager
def starved(pid: int) -> Iterator[None]:
    """The process gets a little time now and then, as on a machine that is full."""
    over = threading.Event()

    def starve() -> None:
        with contextlib.suppress(ProcessLookupError):
            while not over.is_set():
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.2)
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.02)

    thread = threading.Thread(target=starve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_the_reason_of_an_end_is_last_however_late_it_is_read(made: Made) -> None:
    """Workers' tracebacks come on one pipe and the master's words on another: they stay in order,
    even where both wait for a supervisor that has no time."""
    with started(made, APP_DOES="vanish") as running:
        running.wait_for("gunicorn: exited with status 3")
        with starved(running.process.pid):
            assert running.wait(60) == 3
        assert b"Reason: no worker has become ready" in running.lines[-1]


def test_orphans_are_adopted_and_reaped(made: Made) -> None:
    """Twenty processes whose parents died leave no zombie, PID 1 or not."""
    with started(made, LOOP_DOES="orphans") as running:
        running.wait_for("loop +. goes round")
        assert len(running.children("sleep 5")) >= 15, "they are the supervisor's children now"
        deadline = time.monotonic() + 15
        while running.children("sleep 5") and time.monotonic() < deadline:
            time.sleep(0.05)
        while zombies(running) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert zombies(running) == []


def zombies(running: Running) -> list[str]:
    return [line for line in running.tree().values() if line.startswith("Z")]


def test_a_thousand_orphans_leave_no_zombie(made: Made) -> None:
    """They die at once, and are gone before anybody could run out of process numbers."""
    body = """
for _ in range(20):
    subprocess.run(["/bin/sh", "-c", "for i in $(seq 50); do sleep 2 & done"], check=True)
print("left behind")
time.sleep(1000)
"""
    table(made, 'run.Loop("many")', many=body)
    with started(made) as running:
        running.wait_for("left behind", seconds=60)
        [loop] = running.children("many")
        end = time.monotonic() + 30
        while len(running.tree()) > 2 and time.monotonic() < end:
            time.sleep(0.1)
        assert set(running.tree()) == {running.process.pid, loop}


LEAVES = """
print("in", os.environ["TMPDIR"])
print("child", subprocess.Popen(["/bin/sleep", "1002"], start_new_session={apart}).pid)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", subprocess.Popen(["/bin/sleep", "1003"], start_new_session={apart}).pid)
sys.exit(3)
"""


def test_what_a_loop_has_started_ends_with_it(made: Made) -> None:
    """It would meet the next life, and pile up; what does not heed TERM is killed, and told."""
    table(made, 'run.Loop("leaves")', leaves=LEAVES.format(apart=False))
    with started(made) as running:
        assert _ends(int(running.wait_for(r"leaves +. child (\d+)")[1]))
        assert _ends(int(running.wait_for(r"leaves +. deaf (\d+)")[1]))
        running.wait_for("error: leaves: what it has left behind has not ended in .*: killed")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        children = re.findall(r"leaves +. (?:child|deaf) (\d+)", running.text)
        assert all(_ends(int(pid)) for pid in children), "those of the last life as well"


def test_what_has_left_a_loops_group_keeps_nothing_of_it(made: Made) -> None:
    """It has a session of its own, and lives on; but the pipe and the folder are gone."""
    table(made, 'run.Loop("leaves")', leaves=LEAVES.format(apart=True))
    with started(made) as running:
        folder = Path(running.wait_for(r"leaves +. in (\S+)")[1])
        end = time.monotonic() + 30
        while folder.exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert not folder.exists()
        child = int(running.wait_for(r"leaves +. child (\d+)")[1])
        assert b"1002" in Path(f"/proc/{child}/cmdline").read_bytes()


def _ends(pid: int) -> bool:
    """Within some seconds."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_children_do_not_outlive_the_supervisor(made: Made) -> None:
    """kill -9 of the supervisor: everything it started stops."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        running.wait_for("spare is there")
        running.wait_for("goes round")
        pids = set(running.tree()) - {running.process.pid}
        assert len(pids) == 4
        running.signal(signal.SIGKILL)
        deadline = time.monotonic() + 5
        while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [pid for pid in pids if _runs(pid)] == []


def _runs(pid: int) -> bool:
    try:
        return b"deploy_under_test" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize("name", ["gunicorn", "loop"])
def test_a_restart_that_was_asked_for(made: Made, name: str) -> None:
    """ncolony's RESTART message restarts a process at once; it counts as no crash."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        running.wait_for("goes round")
        [old] = running.children(name)
        message(made, "1", f'{{"type": "RESTART", "name": "{name}"}}')
        running.wait_for(f"{name}: .*; starting it again now")
        deadline = time.monotonic() + 3
        while running.children(name) in ([], [old]) and time.monotonic() < deadline:
            time.sleep(0.02)
        [new] = running.children(name)
        assert new != old


def test_copies_of_a_loop_live_and_die_each_by_itself(made: Made) -> None:
    """Both run at once, each with a name of its own in the log; who is killed is back alone."""
    table(
        made,
        'run.Loop("loop", copies=2)',
        loop='print("a life", os.getpid(), flush=True)\nwhile True:\n    time.sleep(60)',
    )
    with started(made) as running:
        lives = {
            number: int(running.wait_for(rf"^loop\.{number} +\| a life (\d+)")[1])
            for number in (1, 2)
        }
        assert {*running.children("loop")} == {*lives.values()}
        before = len(running.lines)
        os.kill(lives[2], signal.SIGKILL)
        back = running.wait_for(r"^loop\.2 +\| a life (\d+)", after=before)
        assert {*running.children("loop")} == {lives[1], int(back[1])}
        assert "loop.1: killed" not in running.text
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
