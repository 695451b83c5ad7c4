"""What an app raises, and what a machine has no more of, ends no worker and no other request."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from running import Made, Running, started
from test_process_deadline import LATE, ask, everything, wait_until, workers


def raw(running: Running, path: str) -> str:
    """All that a client gets who keeps its connection."""
    with socket.create_connection(("127.0.0.1", running.port), 20) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return everything(client).decode()


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.parametrize("path", ["/exit", "/cancelled", "/refused", "/reset", "/blocking"])
def test_what_an_app_raises_ends_its_own_request_alone(made: Made, path: str) -> None:
    """SystemExit, what is no Exception, and an OSError of the app's own: the client is told, the
    log as well, and the worker answers what else it has."""
    with started(made) as running, ThreadPoolExecutor() as pool:
        running.wait_for("gunicorn: ready")
        before = workers(running)
        sibling = pool.submit(ask, running, "/slow?1")
        time.sleep(0.2)
        assert ask(running, path)[0] == 500
        assert ask(running, f"/later?{path}")[0] == 500
        running.wait_for(rf"Error handling request GET {path}")
        running.wait_for(r"Error handling request GET /later")
        assert sibling.result()[0] == 200
        assert workers(running) == before
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_who_asks_wrongly_or_what_answers_wrongly_is_told(made: Made) -> None:
    """gunicorn answers these itself, and the access log has them as well."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        assert ask(running, "/crash")[0] == 500
        assert ask(running, "/unbegun")[0] == 500
        assert raw(running, "/unbegun").startswith("HTTP/1.1 500 ")
        with socket.create_connection(("127.0.0.1", running.port), 20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nno header\r\n\r\n")
            assert everything(client).startswith(b"HTTP/1.1 400 ")
        running.wait_for('"GET /crash HTTP/1.1" 500 ')
        running.wait_for('"GET /unbegun HTTP/1.1" 500 ')
        assert "connection is closed" not in running.text


def test_a_late_answer_has_nothing_of_the_one_that_was_begun(made: Made) -> None:
    """Else it had two lengths, of which a proxy believes one and its client the other."""
    with started(made, REQUEST_DEADLINE="1") as running:
        running.wait_for("gunicorn: ready")
        told = raw(running, "/begun")
        assert told.startswith("HTTP/1.1 503 ")
        assert told.lower().count("content-length:") == 1
        assert told.lower().count("x-request-id:") == 1
        assert "X-Begun" not in told
        assert told.endswith("\r\n\r\nthe request has taken too long\n")


def test_an_overdue_stream_ends_its_own_request_alone(made: Made) -> None:
    """A generator is closed after it was interrupted, which is no time to be interrupted in."""
    with started(made, REQUEST_DEADLINE="2") as running, ThreadPoolExecutor() as pool:
        running.wait_for("gunicorn: ready")
        before = workers(running)
        streams = [pool.submit(ask, running, "/drop") for _ in range(4)]
        time.sleep(1)
        sibling = pool.submit(ask, running, "/slow?1.5")
        assert [it.result()[:2] for it in streams] == [(0, "IncompleteRead")] * 4
        assert sibling.result()[0] == 200
        assert ask(running, "/dry")[:2] == (503, LATE)
        assert ask(running, "/")[0] == 200
        assert {*before} <= {*workers(running)}, "there may be a spare beside it"
        assert "connection is closed" not in running.text


def test_a_worker_without_descriptors_goes_on(made: Made) -> None:
    """More clients than it may have files: they wait, it does not die, and it answers when some
    have gone."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        [worker] = workers(running)
        assert ask(running, "/")[0] == 200
        most = descriptors(worker) + 10
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (most, most))
        clients = [socket.create_connection(("127.0.0.1", running.port), 10) for _ in range(40)]
        running.wait_for("no connection can be accepted: Too many open files")
        for client in clients:
            client.close()
        assert ask(running, "/")[0] == 200
        assert workers(running) == [worker]
        assert len(running.text.split("no connection can be accepted")) < 20


def test_a_worker_without_threads_goes_on(made: Made) -> None:
    """Where no further thread can be started, those that are there answer everybody."""
    with started(made, WEB_THREADS="4") as running, ThreadPoolExecutor(20) as pool:
        running.wait_for("gunicorn: ready")
        [worker] = workers(running)
        assert ask(running, "/")[0] == 200
        size = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(worker, resource.RLIMIT_AS, (size + (1 << 20), size + (1 << 20)))
        asked = [pool.submit(ask, running, "/slow?0.2", 30) for _ in range(20)]
        assert [it.result()[0] for it in asked] == [200] * 20
        assert workers(running) == [worker]


def test_a_master_that_cannot_start_a_worker_goes_on(made: Made) -> None:
    """The other worker serves meanwhile, and one is started as soon as one can be."""
    with started(made, WEB_CONCURRENCY="2") as running:
        running.wait_for("gunicorn: ready")
        wait_until(lambda: len(workers(running)) == 2)
        wait_until(lambda: running.text.count("Booting worker") == 2)
        assert [ask(running, "/")[0] for _ in range(20)] == [200] * 20
        [master] = running.children("gunicorn")
        limits = resource.prlimit(master, resource.RLIMIT_NOFILE)
        before = descriptors(master)
        resource.prlimit(master, resource.RLIMIT_NOFILE, (3, limits[1]))
        os.kill(workers(running)[0], signal.SIGKILL)
        running.wait_for(r"Worker failed to boot\. Others serve; it is tried again in 2 s")
        assert "Too many open files" in running.text
        assert running.get("/")[0] == 200
        assert descriptors(master) == before, "what could not begin has left nothing"
        resource.prlimit(master, resource.RLIMIT_NOFILE, limits)
        wait_until(lambda: len(workers(running)) == 2)
        assert running.children("gunicorn") == [master]


def test_an_app_that_is_larger_than_its_worker_may_be_is_served(made: Made) -> None:
    """Another worker would be as large: to replace it would help nobody. It is told once."""
    with started(made, WORKER_MEMORY="16") as running:
        running.wait_for("gunicorn: ready")
        [worker] = workers(running)
        told = r"worker: \d+ MiB of memory with nothing but the app, which may have 16"
        running.wait_for(told)
        for _ in range(10):
            assert ask(running, "/")[0] == 200
            time.sleep(0.2)
        assert workers(running) == [worker]
        for _ in range(2):
            assert ask(running, "/grow")[0] == 200
        wait_until(lambda: workers(running) and worker not in workers(running))
        assert running.get("/")[0] == 200


def test_a_thread_of_the_app_keeps_no_worker(made: Made) -> None:
    """Python waits for threads that are no daemons: the worker does so for some seconds."""
    with started(made, WORKER_MEMORY="100", APP_DOES="thread") as running:
        running.wait_for("gunicorn: ready")
        [before] = workers(running)
        for _ in range(2):
            assert ask(running, "/grow")[0] == 200
        wait_until(lambda: workers(running) and before not in workers(running), 40)
        assert running.get("/")[0] == 200


def test_a_worker_is_told_to_stop_as_soon_as_it_is_there(made: Made) -> None:
    """TERM that comes between its fork and its first own line is not lost with the master's."""
    with started(made, APP_DOES="fork slowly") as running:
        [master] = wait_for_children(running)
        wait_until(lambda: running.children("gunicorn", master))
        running.signal(signal.SIGTERM)
        began = time.monotonic()
        assert running.wait(50) == 0
        assert time.monotonic() - began < 20, "the master has waited until it may kill"


def test_a_turn_that_fails_is_over(made: Made) -> None:
    """Where even the line that tells of an error cannot be logged, the client is not kept waiting,
    and nor is the end."""
    with started(made, APP_DOES="log badly", WEB_THREADS="1") as running:
        running.wait_for("gunicorn: ready")
        for _ in range(3):
            assert not raw(running, "/crash")
        assert ask(running, "/")[0] == 200
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert "worker: ends with" not in running.text


def test_who_keeps_connections_keeps_nobody_out(made: Made) -> None:
    """Eight clients that ask again and again have all the places, and who comes is answered."""
    over = threading.Event()

    def busy() -> None:
        kept = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        with contextlib.closing(kept):
            while not over.is_set():
                kept.request("GET", "/slow?0.1")
                kept.getresponse().read()

    with started(made, WEB_THREADS="2") as running, ThreadPoolExecutor(8) as pool:
        running.wait_for("gunicorn: ready")
        clients = [pool.submit(busy) for _ in range(8)]
        try:
            time.sleep(1)
            assert [ask(running, "/", 10)[0] for _ in range(5)] == [200] * 5
        finally:
            over.set()
        assert [it.result() for it in clients] == [None] * 8


def test_an_answer_comes_in_one_piece(made: Made) -> None:
    """Its head is not sent before its body: who reads once has both."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        with socket.create_connection(("127.0.0.1", running.port), 20) as client:
            for _ in range(50):
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                head, _, body = client.recv(65_536).partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 ")
                assert body


def wait_for_children(running: Running) -> list[int]:
    wait_until(lambda: running.children("gunicorn"))
    return running.children("gunicorn")
