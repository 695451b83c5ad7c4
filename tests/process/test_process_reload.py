"""A web server that is started anew while clients ask."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from clients import load
from operated import ctl
from running import make, started


def test_twenty_reloads_under_load_lose_no_request(tmp_path: Path) -> None:
    """Of clients that keep their connections, and of those that do not; each time a new process
    answers, and of the old ones nothing is left."""
    made = make(tmp_path)
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        with load(running.port) as clients:
            clients.wait_for(50)
            for _ in range(20):
                done = ctl(made, "reload")
                assert done.returncode == 0, done.stderr
                clients.wait_for(50)
        assert clients.wrong == []
        assert len(clients.pids) >= 20
        print("served:", clients.served)
        end = time.monotonic() + 30
        while len(running.children("gunicorn")) > 1 and time.monotonic() < end:
            time.sleep(0.05)
        assert len(running.children("gunicorn")) == 1
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_gunicorns_own_upgrade_is_off_and_says_so(tmp_path: Path) -> None:
    """USR2 would start a second master that nobody supervises: a line tells what to use, and the
    one that runs serves on."""
    made = make(tmp_path)
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        (master,) = running.children("gunicorn")
        os.kill(master, signal.SIGUSR2)
        running.wait_for(r"USR2: left out: it cannot work here; use: ctl reload")
        assert running.get("/")[0] == 200
        assert running.children("gunicorn") == [master]


def test_where_the_new_one_cannot_serve_the_old_one_stays(tmp_path: Path) -> None:
    """An app that was broken meanwhile is told of, and nobody who asks notices."""
    made = make(tmp_path)
    app = tmp_path / "deploy_under_test" / "app.py"
    whole = app.read_text()
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        (before,) = running.children("gunicorn")
        with load(running.port) as clients:
            clients.wait_for(20)
            app.write_text("import there_is_no_such_module\n")
            done = ctl(made, "reload")
            assert done.returncode == 1
            assert f"pid {before} serves on" in done.stderr
            assert "exited with status" in done.stderr
            assert done.stderr.startswith("error: reload: gunicorn: ")
            running.wait_for("there_is_no_such_module")
            running.wait_for(rf"error: gunicorn: reload: .*; pid {before} serves on")
            clients.wait_for(20)
            assert running.children("gunicorn") == [before]
            app.write_text(whole)
            assert ctl(made, "reload").returncode == 0
            clients.wait_for(20)
        assert clients.wrong == []
        running.wait_for(rf"gunicorn: pid {before}, replaced: exited with status 0")


def test_a_request_in_flight_is_answered_by_the_old_one(tmp_path: Path) -> None:
    """However long the new one serves by then."""
    made = make(tmp_path)
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        answers: list[tuple[int, str]] = []
        slow = threading.Thread(target=lambda: answers.append(running.get("/slow?10", 30)))
        _, before = running.get("/")
        slow.start()
        time.sleep(0.5)
        assert ctl(made, "reload").returncode == 0
        _, after = running.get("/")
        assert not answers
        slow.join(40)
        assert answers == [(200, before)]
        assert after.split()[0] != before.split()[0]


def test_hup_is_a_reload(tmp_path: Path) -> None:
    """As of gunicorn, nginx and others, and not an end."""
    made = make(tmp_path)
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        with load(running.port, kept=1, fresh=1) as clients:
            clients.wait_for(5)
            running.signal(signal.SIGHUP)
            running.wait_for(r"signal SIGHUP: reloading gunicorn")
            running.wait_for(r"gunicorn: pid \d+ serves in the place of pid \d+")
            running.wait_for(r"gunicorn: pid \d+, replaced: exited with status 0")
            clients.wait_for(5)
        assert clients.wrong == []
        assert running.process.poll() is None


def test_two_reloads_at_once_are_one(tmp_path: Path) -> None:
    """The second is refused while the first is under way."""
    made = make(tmp_path)
    with started(made, APP_DOES="sleep") as running:
        running.wait_for("gunicorn: ready", seconds=40)
        running.signal(signal.SIGHUP)
        running.wait_for("reload: starting another")
        done = ctl(made, "reload")
        assert done.returncode == 1
        assert "another is under way" in done.stderr
        running.wait_for("serves in the place of", seconds=40)


def test_a_stop_while_a_reload_is_under_way_ends_everything(tmp_path: Path) -> None:
    """Both lives; with status 0."""
    made = make(tmp_path)
    with started(made, APP_DOES="yawn") as running:
        running.wait_for("gunicorn: ready")
        running.signal(signal.SIGHUP)
        running.wait_for("reload: starting another")
        running.signal(signal.SIGTERM)
        assert running.wait(40) == 0


def test_an_operators_stop_ends_the_new_one_as_well(tmp_path: Path) -> None:
    """Whatever it is doing by then; it would serve in a moment. Then all is as after any stop."""
    made = make(tmp_path)
    app = tmp_path / "deploy_under_test" / "app.py"
    whole = app.read_text()
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        app.write_text("import time\ntime.sleep(600)\n")
        before = len(running.lines)
        running.signal(signal.SIGHUP)
        pid = running.wait_for(r"\[(\d+)\] \[INFO\] Starting gunicorn", after=before)[1]
        running.wait_for("Booting worker", after=before)
        assert ctl(made, "stop", "gunicorn").returncode == 0
        running.wait_for(rf"\[{pid}\] \[INFO\] Handling signal: term", after=before)
        app.write_text(whole)
        assert ctl(made, "start", "gunicorn").returncode == 0
        assert running.get("/")[0] == 200
        assert ctl(made, "reload").returncode == 0
