"""A running deployment and its operator."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from operated import ctl
from running import PACKAGE, Made, Running, free_port, make, started
from tables import table

from luggage.run.operate import caller


def states(made: Made) -> dict[str, dict]:
    """What `status --json` tells of each process."""
    done = ctl(made, "status", "--json")
    assert done.returncode == 0, done.stderr
    return {it["name"]: it for it in json.loads(done.stdout)["processes"]}


def healthy(made: Made, port: int) -> tuple[int, str]:
    """The exit status of `healthy`, and what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", PACKAGE, "healthy"],
        cwd=made.folder,
        env=made.environ(PORT=str(port)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).rstrip()


def up(running: Running) -> None:
    running.wait_for("gunicorn: ready")
    running.wait_for("goes round")
    running.wait_for("spare is there")


def test_status_tells_of_every_process(tmp_path: Path) -> None:
    """For a person, and as JSON; each with the pid that it has."""
    made = make(tmp_path)
    with started(made) as running:
        up(running)
        done = ctl(made, "status")
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split()[0] for line in done.stdout.splitlines()[:4]] == [
            *("name", "gunicorn", "loop", "spare")
        ]
        rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line}
        for name, word in (("gunicorn", "gunicorn"), ("loop", "loop"), ("spare", "spare")):
            (pid,) = running.children(word)
            assert rows[name][1:3] == ["running", str(pid)]
            assert states(made)[name]["pid"] == pid
        assert "ready; version unpacked, log level info" in done.stdout


def test_restart_gives_a_process_another_life(tmp_path: Path) -> None:
    """And leaves the others alone."""
    made = make(tmp_path)
    with started(made) as running:
        up(running)
        before = states(made)
        done = ctl(made, "restart", "loop")
        assert done.returncode == 0, done.stderr
        after = states(made)
        assert after["loop"]["pid"] != before["loop"]["pid"]
        assert done.stdout == f"loop: running, pid {after['loop']['pid']}\n"
        assert after["gunicorn"]["pid"] == before["gunicorn"]["pid"]
        running.wait_for("luggage .* ctl: restart loop")


def test_what_an_operator_stops_stays_stopped_until_he_starts_it(tmp_path: Path) -> None:
    """Also the web server: the container lives on, and is healthy, though not ready."""
    made = make(tmp_path)
    with started(made) as running:
        up(running)
        done = ctl(made, "stop", "gunicorn", "loop")
        assert done.returncode == 0, done.stderr
        assert set(done.stdout.splitlines()) == {"gunicorn: stopped", "loop: stopped"}
        assert running.children("gunicorn") + running.children("loop") == []
        told = json.loads(ctl(made, "status", "--json").stdout)
        assert (told["ready"], told["told"]) == (False, "not ready; gunicorn is stopped")
        assert healthy(made, running.port) == (0, "healthy: an operator has stopped the web server")
        assert states(made)["spare"]["state"] == "running"
        done = ctl(made, "start", "gunicorn", "loop")
        assert done.returncode == 0, done.stderr
        assert json.loads(ctl(made, "status", "--json").stdout)["ready"] is True
        assert healthy(made, running.port)[1].endswith(f"port {running.port}: 200")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def asked(port: int, request: bytes) -> bytes:
    """Whatever comes on a connection until it ends, after `request`."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_who_comes_while_the_web_server_is_stopped_is_told_so_at_once(tmp_path: Path) -> None:
    """Whatever he sends, and if he sends nothing: he used to wait, and was run when it started."""
    made = make(tmp_path)
    with started(made) as running:
        up(running)
        assert ctl(made, "stop", "gunicorn").returncode == 0
        running.wait_for("gunicorn: stopped, and who comes gets 503 until it is started")
        large = b"POST /upload HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
        for request in (b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n", large, b"\x16\x03\x01", b""):
            head, _, body = asked(running.port, request).partition(b"\r\n\r\n")
            lines = head.splitlines()
            assert lines[0] == b"HTTP/1.1 503 Service Unavailable"
            assert {b"Connection: close", b"Retry-After: 5"} <= set(lines)
            assert b"Content-Length: %d" % len(body) in lines
            assert body == b"the web server is stopped: ctl start gunicorn\n"
        assert ctl(made, "start", "gunicorn").returncode == 0
        assert running.get("/")[0] == 200
        assert "GET /-/ready" not in running.text
        assert ctl(made, "stop", "gunicorn").returncode == 0
        assert asked(running.port, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 503 ")


def test_silent_clients_of_a_stopped_web_server_keep_nobody_from_his_answer(tmp_path: Path) -> None:
    """However many they are; and the supervisor does what it is told."""
    made = make(tmp_path)
    with started(made) as running:
        up(running)
        assert ctl(made, "stop", "gunicorn").returncode == 0
        silent = [socket.create_connection(("127.0.0.1", running.port), 10) for _ in range(300)]
        try:
            assert asked(running.port, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 503 ")
            open_files = list(Path(f"/proc/{running.process.pid}/fd").iterdir())
            assert len(open_files) < 200
            assert ctl(made, "start", "gunicorn").returncode == 0
            assert running.get("/")[0] == 200
        finally:
            for it in silent:
                it.close()
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_newcomers_are_told_while_the_stopped_web_server_ends(tmp_path: Path) -> None:
    """It answers its last request, which takes a while; nobody waits for that."""
    made = make(tmp_path)
    with started(made) as running:
        up(running)
        answers: list[tuple[int, str]] = []
        slow = threading.Thread(target=lambda: answers.append(running.get("/slow?8", 30)))
        slow.start()
        time.sleep(0.5)
        stopping = threading.Thread(target=lambda: ctl(made, "stop", "gunicorn"))
        stopping.start()
        running.wait_for("gunicorn: stopped, and who comes")
        end = time.monotonic() + 5  # it is told to stop next, and takes whom it meets until then
        while not asked(running.port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 503 "):
            assert time.monotonic() < end
        assert not answers
        assert healthy(made, running.port) == (0, "healthy: an operator has stopped the web server")
        slow.join()
        stopping.join()
        assert answers[0][0] == 200


def test_a_stopped_system_stops_as_any_other(tmp_path: Path) -> None:
    """TERM ends it, though nothing serves; who waits for the web server is not answered."""
    made = make(tmp_path)
    with started(made) as running:
        up(running)
        assert ctl(made, "stop", "gunicorn").returncode == 0
        with socket.create_connection(("127.0.0.1", running.port), 10):
            running.signal(signal.SIGTERM)
            assert running.wait() == 0
        assert "clients wait" not in running.text


def test_names_that_there_are_not_are_told_with_those_that_there_are(tmp_path: Path) -> None:
    """And nothing is done."""
    made = make(tmp_path)
    with started(made) as running:
        up(running)
        before = states(made)
        done = ctl(made, "restart", "loop", "lop")
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "error: restart: process 'lop': there is none",
            f"hint: one of {', '.join(before)}",
        ]
        assert states(made)["loop"]["pid"] == before["loop"]["pid"]
        running.wait_for("luggage .* ctl: refused: restart: process 'lop': there is none")


def test_an_operator_ends_the_crash_loop_of_a_needed_loop(tmp_path: Path) -> None:
    """Until then, both ports say the same, and each try of his is told to be in vain."""
    web = 'run.Web("deploy_under_test.app:app")'
    made = table(make(tmp_path), web, 'run.Loop("crash", key=False, needed=True)', crash="return 3")
    pages = free_port()

    def told() -> set[tuple[int, str]]:
        """What both ports answer, without a line's end."""
        found = set()
        for port in (running.port, pages):
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/-/ready", timeout=10
                ) as answer:
                    found.add((answer.status, answer.read().decode().rstrip()))
            except urllib.error.HTTPError as error:
                found.add((error.code, error.read().decode().rstrip()))
        return found

    def in_vain(word: str) -> bool:
        """Whether `ctl` tells so, once: on a full machine a life may be longer than it looks."""
        for _ in range(3):
            done = ctl(made, word, "crash")
            if done.returncode == 1:
                assert "error: crash: exited with status 3, and is tried again" in done.stderr
                return True
            assert ctl(made, "stop", "crash").returncode == 0
        return False

    with started(made, MANAGEMENT_PORT=str(pages)) as running:
        running.wait_for("gunicorn: ready")
        running.wait_for("error: crash: died for the 5th time", seconds=30)
        assert told() == {(503, "not ready; loop 'crash' crash-loops")}
        assert in_vain("restart")
        assert ctl(made, "stop", "crash").stdout == "crash: stopped\n"
        assert told() == {(200, "ready; loop 'crash' is stopped")}
        assert (states(made)["crash"]["state"], states(made)["crash"]["crash_loop"]) == (
            *("stopped", False),
        )
        assert in_vain("start")


def test_the_log_level_changes_while_it_runs(tmp_path: Path) -> None:
    """It is told, and a level that there is not is refused."""
    made = make(tmp_path)
    with started(made) as running:
        up(running)
        assert ctl(made, "log-level").stdout == "info\n"
        assert ctl(made, "log-level", "warning").stdout == "warning\n"
        assert ctl(made, "log-level").stdout == "warning\n"
        done = ctl(made, "log-level", "loud")
        assert done.returncode == 2
        assert "one of debug, info, warning, error, critical" in done.stderr


def test_the_socket_is_for_this_user_alone_and_goes_with_its_supervisor(tmp_path: Path) -> None:
    """Mode 0600 in a folder of mode 0700; a later start takes the place of one that was killed."""
    made = make(tmp_path)
    control = tmp_path / "run" / "luggage" / "control"
    with started(made) as running:
        up(running)
        about = control.stat()
        assert stat.S_ISSOCK(about.st_mode)
        assert stat.S_IMODE(about.st_mode) == 0o600
        assert stat.S_IMODE(control.parent.stat().st_mode) == 0o700
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait(10)
        assert control.exists()
        done = ctl(made, "status")
        assert done.returncode == 1
        assert "no luggage runs there" in done.stderr
    with started(made) as running:
        up(running)
        assert ctl(made, "status").returncode == 0
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    assert not control.exists()


def test_what_is_no_request_harms_nothing(tmp_path: Path) -> None:
    """Nonsense, a line without an end, many callers who say nothing: others are answered."""
    made = make(tmp_path)
    folder = str(tmp_path / "run" / "luggage")
    with started(made) as running:
        up(running)
        idle = [caller.connect(folder) for _ in range(20)]
        try:
            for nonsense in (b"{}\n", b"[1]\n", b"[" * 60_000 + b"\n", b"x" * 200_000, b"\xff\n"):
                with caller.connect(folder) as talk:
                    try:
                        talk.sendall(nonsense)
                        told = talk.recv(65_536)
                    except (BrokenPipeError, ConnectionResetError):
                        told = b""
                    assert told == b"" or json.loads(told.splitlines()[-1])["status"] == 1
            assert ctl(made, "status").returncode == 0
        finally:
            for it in idle:
                it.close()


def test_a_frozen_supervisor_is_said_to_be_so(tmp_path: Path) -> None:
    """Rather than waited for for ever."""
    made = make(tmp_path)
    with started(made) as running:
        up(running)
        running.process.send_signal(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            done = ctl(made, "status")
            assert done.returncode == 1
            assert "does not answer" in done.stderr
            assert time.monotonic() - begin < 60
        finally:
            running.process.send_signal(signal.SIGCONT)
        assert ctl(made, "status").returncode == 0
