"""Requests that do not end, and clients that are slow: all others are answered all the same."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import select
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from running import Made, Running, free_port, started
from test_process_management import Pages

LATE = "the request has taken too long\n"


def workers(running: Running) -> list[int]:
    [master] = running.children("gunicorn")
    return running.children("gunicorn", master)


def ask(
    running: Running, path: str, seconds: float = 20, **headers: str
) -> tuple[int, str, dict[str, str]]:
    """Status, text and headers; 0 where there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=seconds)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    except (OSError, http.client.HTTPException) as error:
        return 0, type(error).__name__, {}
    finally:
        connection.close()


def wait_until(true: object, seconds: float = 20) -> None:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it has not come true"
        time.sleep(0.02)


@pytest.mark.parametrize("path", ["/loop", "/lock", "/slow?60"])
def test_an_overdue_request_is_told_and_ended(made: Made, path: str) -> None:
    """Its client gets 503, and the log its id and where it stands; it has not taken its worker's
    other request with it, and the place is free again."""
    with started(made, REQUEST_DEADLINE="2") as running, ThreadPoolExecutor() as pool:
        running.wait_for("gunicorn: ready")
        before = workers(running)
        wedged = pool.submit(ask, running, path, **{"X-Request-ID": "the-one.1"})
        running.get("/")
        time.sleep(1)
        sibling = pool.submit(ask, running, "/slow?1.5")
        status, text, headers = wedged.result()
        assert (status, text) == (503, LATE)
        assert headers["X-Request-ID"] == "the-one.1"
        assert headers["Date"]
        told = running.wait_for(r"overdue: GET \S+ the-one\.1: has taken longer than 2 s")
        running.wait_for(r"app\.py", after=running.lines.index(told.string.encode()))
        assert "gthread.py" not in running.text
        assert sibling.result()[0] == 200
        if path != "/loop":
            running.wait_for("the-one.1: cannot be interrupted: another worker")
            wait_until(lambda: workers(running) and not {*workers(running)} & {*before})
        assert running.get("/")[0] == 200
        assert {*before} <= {*workers(running)} or path != "/loop"
        line = rf'"GET {path.partition("?")[0]} HTTP/1.1" 503 \d+ .* the-one\.1'
        running.wait_for(line)
        assert len(re.findall(line, running.text)) == 1
        assert "got no whole answer" not in running.text


def test_a_request_that_comes_back_late_is_told_and_counted_once(made: Made) -> None:
    """Its client has had its 503, and the worker is still there, for another's sake."""
    port = free_port()
    with (
        started(made, REQUEST_DEADLINE="1", MANAGEMENT_PORT=str(port)) as running,
        contextlib.ExitStack() as stack,
    ):
        running.wait_for("gunicorn: ready")
        [worker] = workers(running)
        address = ("127.0.0.1", running.port)
        sender = stack.enter_context(socket.create_connection(address, 30))
        sender.sendall(b"POST /upload HTTP/1.0\r\nContent-Length: 100\r\n\r\n")
        with ThreadPoolExecutor() as pool:
            late = [
                pool.submit(ask, running, "/slow?3", **{"X-Request-ID": f"late.{number}"})
                for number in range(3)
            ]
        assert [it.result()[0] for it in late] == [503] * 3
        time.sleep(4)
        assert worker in workers(running)
        sender.sendall(b"x" * 100)
        assert everything(sender).endswith(b"\r\n\r\n100\n")
        wait_until(lambda: worker not in workers(running))
        for number in range(3):
            line = rf'"GET /slow HTTP/1.1" 503 \d+ .* late\.{number}'
            running.wait_for(line)
            assert len(re.findall(line, running.text)) == 1
        found = Pages(port).metrics()
        assert found["luggage_http_requests_total{method=GET,status=503}"] == 3
        assert found["luggage_http_requests_overdue_total"] == 3
        assert "got no whole answer" not in running.text


def test_each_of_many_that_cannot_be_interrupted_is_told_and_counted(made: Made) -> None:
    """Their worker ends as soon as the last has its 503, and not before that is told."""
    port = free_port()
    with (
        started(made, REQUEST_DEADLINE="1", MANAGEMENT_PORT=str(port)) as running,
        ThreadPoolExecutor(6) as pool,
    ):
        running.wait_for("gunicorn: ready")
        [worker] = workers(running)
        wedged = [
            pool.submit(ask, running, "/lock", **{"X-Request-ID": f"many.{number}"})
            for number in range(6)
        ]
        assert [it.result()[0] for it in wedged] == [503] * 6
        wait_until(lambda: not Path(f"/proc/{worker}").exists())
        for number in range(6):
            running.wait_for(rf'"GET /lock HTTP/1.1" 503 31 .* many\.{number}$')
        assert len(re.findall('"GET /lock HTTP/1.1"', running.text)) == 6
        assert Pages(port).metrics()["luggage_http_requests_total{method=GET,status=503}"] == 6
        assert "got no whole answer" not in running.text


def test_what_is_half_answered_is_cut_off(made: Made) -> None:
    """A client never takes the half of an answer for a whole one."""
    with started(made, REQUEST_DEADLINE="1") as running:
        running.wait_for("gunicorn: ready")
        assert ask(running, "/drip")[:2] == (0, "IncompleteRead")
        running.wait_for("overdue: GET /drip")
        running.wait_for("worker: ends with 1 connections that got no whole answer:")
        assert running.get("/")[0] == 200


def test_a_worker_that_stands_still_is_stood_in_for_and_then_killed(made: Made) -> None:
    """No thread of it can run: another serves within the time of a few looks, and the log tells
    where it stood."""
    with started(made, REQUEST_DEADLINE="10") as running, ThreadPoolExecutor() as pool:
        running.wait_for("gunicorn: ready")
        [frozen] = workers(running)
        held = pool.submit(ask, running, "/held", 60)
        running.wait_for(r"worker \(pid \d+\): no sign of life for 1 s, another stands in for it")
        assert running.get("/")[0] == 200
        assert Path(f"/proc/{frozen}").exists()
        assert held.result()[0] == 0
        running.wait_for(rf"worker \(pid {frozen}\): no sign of life for \d+ s: killed")
        running.wait_for(r"app\.py.* in _held")
        assert running.get("/")[0] == 200


def test_a_worker_that_comes_to_itself_is_not_killed(made: Made) -> None:
    """It stood still for longer than a spare needs, and for less than its requests may take."""
    with started(made, REQUEST_DEADLINE="20") as running:
        running.wait_for("gunicorn: ready")
        [worker] = workers(running)
        os.kill(worker, signal.SIGSTOP)
        running.wait_for("another stands in for it")
        assert running.get("/")[0] == 200
        os.kill(worker, signal.SIGCONT)
        running.wait_for("goes on")
        wait_until(lambda: len(workers(running)) == 1, 40)
        assert "killed" not in running.text
        assert running.get("/")[0] == 200


def test_a_pause_of_everything_kills_nobody(made: Made) -> None:
    """As `docker pause` makes it, for longer than the deadline, with a request in flight."""
    with started(made, REQUEST_DEADLINE="2") as running, ThreadPoolExecutor() as pool:
        running.wait_for("gunicorn: ready")
        before = workers(running)
        asked = pool.submit(ask, running, "/slow?1", 30)
        time.sleep(0.3)
        everybody = list(running.tree())
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(4)
        for pid in reversed(everybody):
            os.kill(pid, signal.SIGCONT)
        assert asked.result()[0] == 200
        assert running.get("/")[0] == 200
        assert {*before} <= {*workers(running)}
        assert "overdue" not in running.text
        assert "killed" not in running.text


def test_a_worker_that_dies_is_told_of_with_what_it_served(made: Made) -> None:
    """The request that killed it stands in the log, and the next one is answered."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        assert ask(running, "/died", **{"X-Request-ID": "deadly"})[0] == 0
        running.wait_for(r"died while it served:")
        running.wait_for(r"GET /died deadly")
        wait_until(lambda: ask(running, "/")[0] == 200)


def test_a_worker_that_cannot_start_takes_no_other_with_it(made: Made) -> None:
    """One serves on, and the other is tried again until it starts."""
    with started(made, WEB_CONCURRENCY="2") as running:
        running.wait_for("gunicorn: ready")
        wait_until(lambda: len(workers(running)) == 2)
        assert [ask(running, "/")[0] for _ in range(20)] == [200] * 20
        (made.folder / "broken").touch()
        answers = int(running.get("/")[1].split()[0])
        [other] = {*workers(running)} - {answers}
        os.kill(other, signal.SIGKILL)
        running.wait_for(r"Others serve; it is tried again in 1 s")
        running.wait_for(r"Others serve; it is tried again in 2 s")
        assert running.get("/")[0] == 200
        (made.folder / "broken").unlink()
        wait_until(lambda: len(workers(running)) == 2)
        assert len(running.children("gunicorn")) == 1
        assert running.text.count("gunicorn: ready") == 1


def test_a_worker_that_grows_is_replaced_without_losing_a_request(made: Made) -> None:
    """It answers what it has; another takes its place."""
    with started(made, WORKER_MEMORY="100") as running, ThreadPoolExecutor() as pool:
        running.wait_for("gunicorn: ready")
        [before] = workers(running)
        slow = pool.submit(ask, running, "/slow?3")
        time.sleep(0.2)
        for _ in range(2):
            assert ask(running, "/grow")[0] == 200
        running.wait_for(r"worker: \d+ MiB of memory, more than the 100 it may have")
        assert slow.result()[0] == 200
        wait_until(lambda: workers(running) and before not in workers(running))
        assert running.get("/")[0] == 200


def test_more_wedged_requests_than_places_keep_nobody_out(made: Made) -> None:
    """Twelve that do not end, in a worker with two places: others are answered meanwhile, by a
    worker that stands in for it."""
    with (
        started(made, WEB_THREADS="2", REQUEST_DEADLINE="20") as running,
        ThreadPoolExecutor(12) as pool,
    ):
        running.wait_for("gunicorn: ready")
        wedged = [pool.submit(ask, running, "/lock", 60) for _ in range(12)]
        running.wait_for("its requests do not end, another stands in for it")
        assert ask(running, "/", 15)[0] == 200
        assert not any(it.done() for it in wedged)
        assert {it.result()[0] for it in wedged} <= {0, 503}
        assert ask(running, "/")[0] == 200


def test_a_worker_whose_requests_compute_takes_no_more(made: Made) -> None:
    """Six that compute without an end make their worker slow: it is told, and others are answered
    by another that stands in for it, although it has places."""
    with started(made, REQUEST_DEADLINE="12") as running, ThreadPoolExecutor(6) as pool:
        running.wait_for("gunicorn: ready")
        [slow] = workers(running)
        spinning = [pool.submit(ask, running, "/loop", 60) for _ in range(6)]
        running.wait_for(r"some of its requests compute without an end, another stands in for it")
        wait_until(lambda: len(workers(running)) > 1)
        wait_until(lambda: ask(running, "/")[1].split()[0] != str(slow))
        time.sleep(0.5)  # that one served; the master sees it at its next look
        assert {ask(running, "/")[1].split()[0] for _ in range(20)} <= {
            str(pid) for pid in workers(running) if pid != slow
        }
        assert [it.result()[0] for it in spinning] == [503] * 6
        running.wait_for(rf"worker \(pid {slow}\): goes on|cannot be interrupted")


def test_slow_clients_take_no_place(made: Made) -> None:
    """Twenty that send slowly and twenty that read nothing: others are answered at once, and the
    time is not the app's."""
    with (
        started(made, WEB_THREADS="2", REQUEST_DEADLINE="2") as running,
        contextlib.ExitStack() as stack,
    ):
        running.wait_for("gunicorn: ready")
        address = ("127.0.0.1", running.port)
        senders = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(20)]
        readers = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(20)]
        for client in senders:
            client.sendall(b"POST /upload HTTP/1.0\r\nContent-Length: 1000\r\n\r\n")
        for client in readers:
            client.sendall(b"GET /download HTTP/1.0\r\n\r\n")
        for _ in range(6):
            for client in senders:
                client.sendall(b"x" * 100)
            assert ask(running, "/", 5)[0] == 200
            time.sleep(0.5)
        for client in senders:
            client.sendall(b"x" * 400)
            assert everything(client).endswith(b"\r\n\r\n1000\n")
        for client in readers:
            assert len(everything(client)) > 20 << 20
        assert "overdue" not in running.text


def everything(client: socket.socket) -> bytes:
    received = bytearray()
    while chunk := client.recv(1 << 20):
        received += chunk
    return bytes(received)


def test_a_request_has_one_id_in_and_out(made: Made) -> None:
    """The client's, where it is one; else a new one. The answer has it, and so has the access
    line."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        assert ask(running, "/", **{"X-Request-ID": "mine-7"})[2]["X-Request-ID"] == "mine-7"
        running.wait_for("mine-7")
        forged = ask(running, "/", **{"X-Request-ID": 'a b"c'})[2]["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", forged)


def test_the_queue_is_answered_on_term_although_places_are_few(made: Made) -> None:
    """Sixty clients, of whom most wait in the kernel's queue when TERM comes."""
    with started(made, WEB_THREADS="2") as running, contextlib.ExitStack() as stack:
        running.wait_for("gunicorn: ready")
        address = ("127.0.0.1", running.port)
        clients = [stack.enter_context(socket.create_connection(address, 30)) for _ in range(60)]
        for client in clients:
            client.sendall(b"GET /slow?0.2 HTTP/1.0\r\n\r\n")
        wait_until(lambda: len(select.select(clients, [], [], 0)[0]) >= 4)
        running.signal(signal.SIGTERM)
        assert [everything(client)[:12] for client in clients] == [b"HTTP/1.0 200"] * 60
        assert running.wait(40) == 0
