"""The web worker and its clients: nobody waits for another, and none in the queue is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from operated import ctl
from running import Made, Running, started

ASK = b"GET /-/version HTTP/1.0\r\n\r\n"


@contextlib.contextmanager
def clients(port: int, count: int) -> Iterator[list[socket.socket]]:
    """`count` clients that have asked, and keep their side open."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            client.sendall(ASK)
            made.append(client)
        yield made


def answer(client: socket.socket) -> bytes:
    """Everything that a client is sent, or what went wrong."""
    told = b""
    try:
        while chunk := client.recv(1000):
            told += chunk
    except OSError as error:
        return repr(error).encode()
    return told


def serving(running: Running) -> tuple[int, int]:
    """gunicorn's master and its one worker."""
    running.wait_for("gunicorn: ready")
    [master] = running.children("gunicorn")
    [worker] = running.children("gunicorn", master)
    return master, worker


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_clients_that_do_not_close_keep_nobody_waiting(made: Made) -> None:
    """Twelve that keep their socket open cost the next client nothing, nor the end of it all."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        with clients(running.port, 12) as open_still:
            assert all(answer(client).startswith(b"HTTP/1.0 200") for client in open_still)
            began = time.monotonic()
            with clients(running.port, 1) as [after]:
                assert answer(after).startswith(b"HTTP/1.0 200")
            assert time.monotonic() - began < 1.9, "one alone would have cost two seconds"
            began = time.monotonic()
            running.signal(signal.SIGTERM)
            assert running.wait() == 0
            assert time.monotonic() - began < 10


def test_a_client_that_goes_on_sending_gets_its_answer_whole(made: Made) -> None:
    """What it sends after the answer is read and thrown away: a reset would take the answer."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        with clients(running.port, 1) as [client]:
            client.sendall(b"x" * 300_000)
            time.sleep(0.1)
            client.sendall(b"x" * 300_000)
            client.shutdown(socket.SHUT_WR)
            told = answer(client)
        assert told.startswith(b"HTTP/1.0 200") and told.endswith(b"}\n"), told


def test_term_answers_everyone_in_the_queue(made: Made) -> None:
    """Those whom no worker has accepted yet when TERM comes are accepted and answered."""
    with started(made) as running:
        _, worker = serving(running)
        os.kill(worker, signal.SIGSTOP)
        while not stopped(worker):
            time.sleep(0.01)
        with clients(running.port, 5) as waiting:
            running.signal(signal.SIGTERM)
            running.wait_for("signal SIGTERM: stopping")
            running.wait_for("Handling signal: term")
            os.kill(worker, signal.SIGCONT)
            answers = [answer(client)[:12] for client in waiting]
        assert answers == [b"HTTP/1.0 200"] * 5
        assert running.wait() == 0


def test_term_answers_who_waits_for_a_web_server_that_starts(made: Made) -> None:
    """TERM while gunicorn boots: those who wait already are answered, then everything ends."""
    with started(made, APP_DOES="wait") as running:
        running.wait_for("Booting worker")
        with clients(running.port, 3) as waiting:
            running.signal(signal.SIGTERM)
            running.wait_for("clients wait: the web server starts")
            (made.folder / "go").touch()
            answers = [answer(client)[:12] for client in waiting]
        assert answers == [b"HTTP/1.0 200"] * 3
        assert running.wait() == 0


def test_term_answers_who_waits_for_a_web_server_that_died(made: Made) -> None:
    """TERM while none runs, between two lives of it: one is started for those who wait."""
    assert any(_told_between_two_lives(made) for _ in range(3))


def _told_between_two_lives(made: Made) -> bool:
    """Whether TERM came in time, before the next life: all are answered in any case."""
    with started(made, APP_DOES="yawn") as running:
        before = 0
        for _ in range(4):  # so that the next pause is 0.8 s; a fifth death would be a crash loop
            told = running.wait_for(r"\[(\d+)\] \[INFO\] Starting gunicorn", after=before)
            before = len(running.lines)
            os.killpg(int(told[1]), signal.SIGKILL)  # its workers, too
            running.wait_for("gunicorn: killed by signal 9", after=before)
        between = running.children("gunicorn") == []
        with clients(running.port, 3) as waiting:
            running.signal(signal.SIGTERM)
            answers = [answer(client)[:12] for client in waiting]
        assert answers == [b"HTTP/1.0 200"] * 3
        assert running.wait() == 0
        end = "\n".join(line.decode() for line in running.lines[before:])
        return between and end.index("SIGTERM: stopping") < end.index("Starting gunicorn")


def test_term_answers_who_waits_for_a_restart(made: Made) -> None:
    """TERM after `ctl restart`, while the old life still answers: it takes nobody more, so another
    begins beside it for those who wait."""
    with started(made) as running, ThreadPoolExecutor() as pool:
        running.wait_for("gunicorn: ready")
        slow = pool.submit(running.get, "/slow?8", 60)
        time.sleep(0.5)
        before = len(running.lines)
        restarted = pool.submit(ctl, made, "restart", "gunicorn")
        running.wait_for("Worker exiting|Handling signal: term", after=before)
        time.sleep(1)
        with clients(running.port, 3) as waiting:
            running.signal(signal.SIGTERM)
            answers = [answer(client)[:12] for client in waiting]
        assert answers == [b"HTTP/1.0 200"] * 3
        assert slow.result()[0] == 200
        assert running.wait(60) == 0
        restarted.result()


def test_term_while_nobody_waits_is_not_held_up(made: Made) -> None:
    """A web server that boots is stopped at once, and who comes then is refused, not reset."""
    with started(made, APP_DOES="wait") as running:
        running.wait_for("Booting worker")
        running.signal(signal.SIGTERM)
        running.wait_for("signal SIGTERM: stopping")
        running.wait_for("Handling signal: term")
        assert refused(running.port)
        (made.folder / "go").touch()
        while running.process.poll() is None:
            assert refused(running.port)
        assert running.wait() == 0
        assert "clients wait" not in running.text
        assert "Traceback" not in running.text


def test_those_who_wait_are_not_waited_for_without_end(made: Made) -> None:
    """A web server that does not become ready is given up after five seconds."""
    with started(made, APP_DOES="sleep") as running:
        running.wait_for("Booting worker")
        with clients(running.port, 1):
            began = time.monotonic()
            running.signal(signal.SIGTERM)
            assert running.wait() == 0
            assert 4.5 < time.monotonic() - began < 20
