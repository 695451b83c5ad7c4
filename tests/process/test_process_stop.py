"""TERM and INT: every request in flight is answered, then everything stops, with status 0."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from operated import ctl
from running import PACKAGE, Made, started
from test_process_deadline import everything, wait_until, workers
from test_process_drain import refused


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_answered(made: Made, number: signal.Signals) -> None:
    """It gets its 200; new clients are refused meanwhile; then the exit status is 0, at once."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        running.wait_for("goes round")  # in a process group of its own: Ctrl-C is not for it
        answers: list[tuple[int, float]] = []

        def ask() -> None:
            status, _ = running.get("/slow?5", 30)
            answers.append((status, time.monotonic()))

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(1)
        running.signal(number)
        running.wait_for(f"signal {number.name}: stopping")
        wait_until(lambda: refused(running.port))
        assert answers == []
        assert running.children("loop"), "loops run until the last request is answered"
        running.signal(number)
        assert running.wait() == 0
        ended = time.monotonic()
        thread.join()
        [(status, answered)] = answers
        assert status == 200
        assert ended - answered < 5
        assert "stopping already" in running.text
        order = [running.text.index(f"luggage  | {name}: ") for name in ("loop", "spare")]
        assert running.text.index("luggage  | gunicorn: exited with status 0") < min(order)
        assert {pid: line for pid, line in running.tree().items() if line[0] != "Z"} == {}


def test_term_under_load_loses_nobody(made: Made) -> None:
    """Forty clients ask again and again: each is answered or refused, none is cut off."""
    results: Counter[str] = Counter()

    def ask(port: int) -> None:
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", port), 5)
            except ConnectionRefusedError:
                results["refused"] += 1
                return
            with connection:
                connection.sendall(b"GET /slow?0.05 HTTP/1.0\r\n\r\n")
                answer = connection.recv(1000)
                results["answered" if b" 200 " in answer else repr(answer)] += 1

    with started(made) as running:
        running.wait_for("gunicorn: ready")
        threads = [threading.Thread(target=ask, args=(running.port,)) for _ in range(40)]
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        for thread in threads:
            thread.join()
        assert set(results) == {"answered", "refused"}
        assert results["refused"] == 40
        assert results["answered"] > 40


def test_a_worker_that_stands_still_keeps_its_deadline_while_everything_stops(made: Made) -> None:
    """It is told of as while it served, with what it had and where it stood: the end does not wait
    for as long as requests may be waited for."""
    with started(made, REQUEST_DEADLINE="3") as running, contextlib.ExitStack() as stack:
        running.wait_for("gunicorn: ready")
        [frozen] = workers(running)
        address = ("127.0.0.1", running.port)
        held = stack.enter_context(socket.create_connection(address, 60))
        held.sendall(b"GET /held HTTP/1.0\r\nX-Request-ID: lost-1\r\n\r\n")
        running.signal(signal.SIGTERM)
        told = running.wait_for("signal SIGTERM: stopping").string
        after = running.lines.index(told.encode())
        running.wait_for(r"no sign of life for 1 s, the end waits for it", after=after)
        running.wait_for(rf"\(pid {frozen}\): no sign of life for \d+ s: killed", after=after)
        running.wait_for("GET /held lost-1", after=after)
        running.wait_for(r"app\.py.* in _held", after=after)
        assert running.wait() == 0
        assert everything(held) == b""


def test_term_while_it_still_starts(made: Made) -> None:
    """TERM at any moment of the start ends it with status 0, and leaves nothing behind."""
    for pause in (0.15, 0.25, 0.35, 0.5):
        with started(made) as running:
            time.sleep(pause)
            running.signal(signal.SIGTERM)
            status = running.wait()
            # Before Python runs our first line, TERM has its default action.
            assert status == 0 or (status == -signal.SIGTERM and running.lines == [])
            assert {pid: line for pid, line in running.tree().items() if line[0] != "Z"} == {}


def test_no_usual_signal_ends_everything_without_order(made: Made) -> None:
    """What another program would take for an order is told, and nothing happens; QUIT, which is
    Ctrl-\\ in a terminal, is a stop as any other."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        running.wait_for("goes round")
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
            running.signal(number)
            running.wait_for(f"signal {number.name}: left out: it means nothing here")
        assert running.get("/")[0] == 200
        running.signal(signal.SIGQUIT)
        running.wait_for("signal SIGQUIT: stopping")
        assert running.wait() == 0
        assert "gunicorn: exited with status 0" in running.text


HELPER = """
import subprocess
HELPER = subprocess.Popen(["/bin/sleep", "1005"])
print("helper", HELPER.pid)
"""


def test_a_helper_of_the_app_holds_up_no_stop(made: Made) -> None:
    """It has the web server's output, and nobody waits for it: it ends with the web server, and
    with the one that a reload replaces."""
    app = made.folder / PACKAGE / "app.py"
    app.write_text(app.read_text() + HELPER)
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        old = int(running.wait_for(r"helper (\d+)")[1])
        before = len(running.lines)
        assert ctl(made, "reload").returncode == 0
        new = int(running.wait_for(r"helper (\d+)", after=before)[1])
        end = time.monotonic() + 25
        while runs(old) and time.monotonic() < end:
            time.sleep(0.05)
        assert not runs(old)
        assert runs(new)
        running.signal(signal.SIGTERM)
        assert running.wait(25) == 0
        assert not runs(new)


def runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"1005" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
