"""What clients and apps do that nobody foresees: it harms nobody else, and forges nothing."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from running import Made, Running, started
from test_process_deadline import ask, everything


def told(running: Running, request: str) -> str:
    """All that a client gets for a whole request."""
    with socket.create_connection(("127.0.0.1", running.port), 30) as client:
        client.sendall(request.encode())
        return everything(client).decode()


def test_clients_that_never_ask_keep_nobody_out(made: Made) -> None:
    """They have all threads of a worker, and send a little now and then: the oldest have to go."""
    with started(made, WEB_THREADS="1") as running:
        running.wait_for("gunicorn: ready")
        slow = [socket.create_connection(("127.0.0.1", running.port), 30) for _ in range(280)]
        try:
            for client in slow:
                client.sendall(b"GET / HTTP/1.1\r\n")
            told = "slow clients have all its threads, another stands in for it"
            running.wait_for(told, seconds=30)
            assert ask(running, "/", 30)[0] == 200
            slow[0].settimeout(30)
            assert slow[0].recv(100).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        finally:
            for client in slow:
                client.close()


def test_a_line_that_is_no_header_makes_no_long_line(made: Made) -> None:
    """gunicorn tells it whole: the pipe that workers share would cut it, with others between."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        answer = told(running, "GET / HTTP/1.1\r\n" + "A" * 60_000 + "\r\n\r\n")
        assert answer.startswith("HTTP/1.1 4")
        running.wait_for("Invalid request from ip=127.0.0.1")
        assert max(map(len, running.lines)) < 1500


def test_what_an_error_says_begins_no_line(made: Made) -> None:
    """A line of the access log begins with an address: no other may."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        assert ask(running, "/forge")[0] == 500
        running.wait_for(r'"GET /forge HTTP/1\.1" 500')
        forged = [line for line in running.lines if b"6.6.6.6" in line]
        assert forged
        assert all(line.startswith(b"gunicorn |   ") for line in forged)


def test_an_error_has_its_requests_id(made: Made) -> None:
    """As every other answer has; and there is one line in the access log."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        request = "GET /crash HTTP/1.1\r\nHost: a\r\nX-Request-ID: my-id\r\n\r\n"
        assert "\r\nX-Request-ID: my-id\r\n" in told(running, request)
        running.wait_for(r'"GET /crash HTTP/1\.1" 500 .* my-id$')
        assert ask(running, "/later?/exit")[0] == 500
        running.wait_for(r'"GET /later HTTP/1\.1" 500 ')
        assert running.text.count('"GET /later HTTP/1.1"') == 1


def test_records_of_several_workers_stay_whole(made: Made) -> None:
    """Each is longer than what a pipe takes at once, and all workers have one pipe."""
    with started(made, LOG_FORMAT="json", WEB_CONCURRENCY="3") as running:
        running.wait_for("gunicorn: ready")
        with ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(ask, running, "/wail", 60) for _ in range(160)]
            assert Counter(it.result()[0] for it in asked) == {500: 160}
        running.signal(signal.SIGTERM)
        assert running.wait(60) == 0
        records = [json.loads(line) for line in running.lines]
        errors = [it for it in records if it.get("traceback", "").endswith("oh" * 3000)]
        assert len(errors) == 160
        assert len({it["request_id"] for it in errors}) == 160
        assert not [it for it in records if "continued" in it]


def test_parts_that_are_written_in_time_are_not_overdue(made: Made) -> None:
    """Each gives the app its whole time anew."""
    with started(made, REQUEST_DEADLINE="2") as running:
        running.wait_for("gunicorn: ready")
        assert ask(running, "/write?6")[:2] == (200, "part\n" * 6)


def test_who_holds_the_interpreter_again_and_again_is_overdue(made: Made) -> None:
    """Nobody else runs meanwhile but the master, who can tell that from a pause of everything."""
    with started(made, REQUEST_DEADLINE="3") as running:
        running.wait_for("gunicorn: ready")
        assert ask(running, "/pieces", 30)[0] in (503, 0), "its worker ends where it cannot be told"
        running.wait_for("overdue: GET /pieces .* has taken longer|no sign of life for 3 s: killed")


def test_an_answer_to_head_has_no_body_although_it_is_late(made: Made) -> None:
    """Else the client would take it for its next answer."""
    with started(made, REQUEST_DEADLINE="1") as running:
        running.wait_for("gunicorn: ready")
        for path in ("/loop", "/lock"):
            answer = told(running, f"HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n")
            assert answer.startswith("HTTP/1.1 503 ")
            assert answer.endswith("\r\n\r\n")
            assert re.search(r"\r\ncontent-length: \d", answer.lower())
        assert "sent body bytes" not in running.text


def test_a_client_has_its_own_time_for_what_it_sends(made: Made) -> None:
    """The app waits for it meanwhile, for longer than its deadline."""
    with started(made, REQUEST_DEADLINE="1") as running:
        running.wait_for("gunicorn: ready")
        head = ("POST /upload HTTP/1.1", "Host: a", "Content-Length: 3", "Connection: close")
        with socket.create_connection(("127.0.0.1", running.port), 30) as client:
            client.sendall("".join(f"{line}\r\n" for line in (*head, "")).encode())
            for letter in b"abc":
                time.sleep(0.7)
                client.sendall(bytes([letter]))
            assert b"\r\n3\n\r\n" in everything(client)
        assert "overdue" not in running.text


def test_half_a_body_is_none(made: Made) -> None:
    """The app is not given it for the whole, and the log tells of no error of the app's own."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        for coding in (
            "Content-Length: 9\r\n\r\nhalf",
            "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        ):
            with socket.create_connection(("127.0.0.1", running.port), 30) as client:
                client.sendall(f"POST /upload HTTP/1.1\r\nHost: a\r\n{coding}half".encode())
                client.shutdown(socket.SHUT_WR)
                assert not everything(client).startswith(b"HTTP/1.1 200")
        assert ask(running, "/")[0] == 200
        assert "Traceback" not in running.text
        assert "POST /upload" not in running.text


def test_what_follows_a_whole_body_is_the_next_request(made: Made) -> None:
    """Also where the client sends all at once and closes its side."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        first = "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhere"
        unread = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhere"
        last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", running.port), 30) as client:
            client.sendall((first + unread + last).encode())
            client.shutdown(socket.SHUT_WR)
            assert everything(client).count(b"HTTP/1.1 200 OK\r\n") == 3
