"""An answer's head and its body: in how many calls they are sent, and that nothing is changed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser

from luggage.web import response

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
PLAIN = [("Content-Type", "text/plain")]


class Line:
    """A socket that counts what is sent in one call; gunicorn writes with `sendall`."""

    def __init__(self, there: socket.socket) -> None:
        self.there = there
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)
        self.there.sendall(data)


@pytest.fixture
def line() -> Iterator[Line]:
    near, far = socket.socketpair()
    with near, far:
        yield Line(near)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi, "Response", wsgi.Response)
    monkeypatch.setattr(util, "http_date", util.http_date)
    response.install()


def made(line: Line | socket.socket, request: bytes = GET) -> wsgi.Response:
    """As gunicorn's worker makes it."""
    cfg = Config()
    asked = next(RequestParser(cfg, iter([request]), ("127.0.0.1", 1)))
    answer, _ = wsgi.create(asked, line, ("127.0.0.1", 1), ("127.0.0.1", 2), cfg)
    assert isinstance(answer, response.Response)
    return answer


def test_the_head_and_a_body_are_sent_by_one_call(line: Line) -> None:
    answer = made(line)
    answer.start_response("200 OK", [*PLAIN, ("Content-Length", "5")])(b"hello")
    answer.close()
    [sent] = line.sent
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"Content-Length: 5\r\n\r\nhello")
    assert sent.count(b"\r\n\r\n") == 1
    assert answer.sent == 5
    assert answer.sock is line


def test_only_the_first_part_goes_with_the_head(line: Line) -> None:
    answer = made(line)
    write = answer.start_response("200 OK", PLAIN)
    for part in (b"one", b"", b"two"):
        write(part)
    answer.close()
    first, *rest = line.sent
    assert first.endswith(
        b"Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n3\r\none\r\n"
    )
    assert rest == [b"3\r\ntwo\r\n", b"0\r\n\r\n"]


def test_an_empty_first_part_sends_the_head(line: Line) -> None:
    """An app that yields b"" has its client know at once that an answer comes."""
    answer = made(line)
    write = answer.start_response("200 OK", PLAIN)
    write(b"")
    assert line.sent[0].endswith(b"\r\n\r\n")
    write(b"late")
    assert line.sent[1:] == [b"4\r\nlate\r\n"]


def test_a_large_part_is_not_copied(line: Line) -> None:
    answer = made(line)
    large = bytes(response.JOINED + 1)
    write = answer.start_response("200 OK", [("Content-Length", str(len(large)))])
    line.sendall = line.sent.append  # type: ignore[method-assign]  # it need not arrive
    write(large)
    head, body = line.sent
    assert head.endswith(b"\r\n\r\n")
    assert body is large


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"HEAD / HTTP/1.1", "200 OK"), (b"GET / HTTP/1.1", "204 No Content")],
)
def test_an_answer_without_a_body_has_none(line: Line, request_line: bytes, status: str) -> None:
    answer = made(line, request_line + b"\r\nHost: here\r\n\r\n")
    answer.start_response(status, [("Content-Length", "4")] if "200" in status else [])(b"body")
    answer.close()
    assert b"".join(line.sent).partition(b"\r\n\r\n")[2] == b""
    assert b"".join(line.sent).startswith(b"HTTP/1.1 " + status.encode())


def test_what_is_longer_than_told_is_cut(line: Line) -> None:
    answer = made(line)
    answer.start_response("200 OK", [("Content-Length", "2")])(b"more")
    answer.close()
    assert b"".join(line.sent).endswith(b"\r\n\r\nmo")


def test_what_is_no_bytes_is_an_error_as_in_gunicorn(line: Line) -> None:
    answer = made(line)
    with pytest.raises(TypeError, match="not a byte"):
        answer.start_response("200 OK", PLAIN)("text")
    assert answer.sock is line


def test_a_client_that_is_gone_is_an_error_and_nothing_is_kept(line: Line) -> None:
    answer = made(line)
    write = answer.start_response("200 OK", [("Content-Length", "10")])
    line.there.shutdown(socket.SHUT_WR)
    with pytest.raises(BrokenPipeError):
        write(b"hello")
    assert answer.sock is line
    assert answer.headers_sent


def test_a_file_follows_its_head(tmp_path: Path) -> None:
    """gunicorn gives the kernel the file itself, behind the head."""
    (tmp_path / "file").write_bytes(b"file")
    near, far = socket.socketpair()
    with near, far, (tmp_path / "file").open("rb") as file:
        answer = made(near)
        answer.start_response("200 OK", [("Content-Length", "4")])
        answer.write_file(wsgi.FileWrapper(file))
        answer.close()
        near.close()
        assert far.makefile("rb").read().endswith(b"Content-Length: 4\r\n\r\nfile")


def test_the_date_is_made_once_a_second_and_true(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    real = response._made

    def counted(timestamp: float) -> str:
        made.append(timestamp)
        return str(real(timestamp))

    monkeypatch.setattr(response, "_made", counted)
    now = 1_700_000_000.25
    monkeypatch.setattr(response.time, "time", lambda: now)
    date = response.Date()
    assert {date() for _ in range(100)} == {"Tue, 14 Nov 2023 22:13:20 GMT"}
    assert made == [1_700_000_000]
    now += 1
    assert parsedate_to_datetime(date()) == datetime.fromtimestamp(1_700_000_001, UTC)
    assert date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_a_clock_that_is_set_back_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_000.0
    monkeypatch.setattr(response.time, "time", lambda: now)
    date = response.Date()
    date()
    now = 1_600_000_000.0
    assert date() == "Sun, 13 Sep 2020 12:26:40 GMT"
