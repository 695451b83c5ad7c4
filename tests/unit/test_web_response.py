"""An answer's head and its body: in how many calls they are sent, and that nothing is changed."""

from __future__ import annotations

import logging
import re
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

from luggage.web import request_id, response

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
PLAIN = [("Content-Type", "text/plain")]


class Line:
    """A socket that counts what is sent in one call; gunicorn writes with `sendall`."""

    def __init__(self, there: socket.socket) -> None:
        self.there = there
        self.sent: list[bytes] = []

    def gettimeout(self) -> float:
        return 0.0

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
    """Put back at the end; a worker in another test may have installed it before."""
    monkeypatch.setattr(wsgi, "Response", response.Response.__base__)
    monkeypatch.setattr(util, "http_date", response._http_date)
    monkeypatch.setattr(util, "write_error", response._write_error)
    response.install()


def made(line: Line | socket.socket, request: bytes = GET) -> wsgi.Response:
    """As gunicorn's worker makes it."""
    cfg = Config()
    asked = next(RequestParser(cfg, iter([request]), ("127.0.0.1", 1)))
    answer, _ = wsgi.create(asked, line, ("127.0.0.1", 1), ("127.0.0.1", 2), cfg)
    assert isinstance(answer, response.Response)
    return answer


def test_the_head_and_a_body_are_sent_by_one_call(line: Line) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    answer = made(line)
    answer.start_response("200 OK", [*PLAIN, ("Content-Length", "5")])(b"hello")
    answer.close()
    [sent] = line.sent
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"Content-Length: 5\r\n\r\nhello")
    assert sent.count(b"\r\n\r\n") == 1
    assert answer.sent == 5
    assert answer.sock is line
    assert isinstance(util.http_date, response.Date)
    [date] = re.findall(rb"\r\nDate: ([^\r]+)\r\n", sent)
    assert before <= parsedate_to_datetime(date.decode()) <= datetime.now(UTC)


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


@pytest.mark.parametrize(("more", "calls"), [(0, 1), (1, 2)])
def test_a_large_part_is_not_copied(line: Line, more: int, calls: int) -> None:
    answer = made(line)
    large = bytes(response.JOINED + more)
    write = answer.start_response("200 OK", [("Content-Length", str(len(large)))])
    line.sendall = line.sent.append  # type: ignore[method-assign]  # it need not arrive
    write(large)
    assert len(line.sent) == calls
    assert b"".join(line.sent).endswith(b"\r\n\r\n" + large)
    assert (line.sent[-1] is large) == (calls == 2)


@pytest.mark.parametrize(
    ("method", "status", "headers", "last"),
    [
        ("HEAD", "200 OK", [("Content-Length", "4")], b"Content-Length: 4\r\n\r\n"),
        ("GET", "204 No Content", [], b"Connection: keep-alive\r\n\r\n"),
        ("GET", "304 Not Modified", [("ETag", '"a"')], b'ETag: "a"\r\n\r\n'),
    ],
)
def test_an_answer_without_a_body_has_none(
    line: Line, method: str, status: str, headers: list[tuple[str, str]], last: bytes
) -> None:
    answer = made(line, f"{method} / HTTP/1.1\r\nHost: here\r\n\r\n".encode())
    answer.start_response(status, headers)(b"body")
    answer.close()
    [sent] = line.sent
    assert sent.startswith(f"HTTP/1.1 {status}\r\n".encode())
    assert sent.endswith(last)
    assert sent.count(b"\r\n\r\n") == 1


def test_what_fails_before_anything_has_left_may_be_answered(line: Line) -> None:
    """Here a filter of the app's, for the line that gunicorn logs of a body that may not be."""

    def fail(_record: logging.LogRecord) -> bool:
        raise ValueError("no line")

    answer = made(line)
    wsgi.log.addFilter(fail)
    try:
        with pytest.raises(ValueError, match="no line"):
            answer.start_response("204 No Content", [])(b"body")
    finally:
        wsgi.log.removeFilter(fail)
    assert line.sent == []
    assert not answer.headers_sent
    assert answer.sock is line


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
    assert line.sent == [], "it may be answered with an error"


@pytest.mark.parametrize(("body", "kept"), [(b"12345", False), (b"1234567890", True)])
def test_after_a_short_answer_the_connection_is_closed(line: Line, body: bytes, kept: bool) -> None:
    """Else a proxy would take the next answer for the rest of this one."""
    answer = made(line)
    answer.start_response("200 OK", [*PLAIN, ("Content-Length", "10")])(body)
    answer.close()
    assert answer.should_close() is not kept


def test_what_has_no_body_is_not_short(line: Line) -> None:
    answer = made(line, b"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n")
    answer.start_response("200 OK", [*PLAIN, ("Content-Length", "10")])
    answer.close()
    assert not answer.should_close()


def test_an_error_has_the_requests_id(line: Line) -> None:
    """gunicorn answers these itself."""
    token = request_id.CURRENT.set("my-id")
    try:
        util.write_error(line, 500, "Internal Server Error", "")
    finally:
        request_id.CURRENT.reset(token)
    [sent] = line.sent
    head, body = sent.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert head.endswith(b"\r\nX-Request-ID: my-id")
    assert head.count(b"\r\nDate: ") == 1
    assert f"Content-Length: {len(body)}".encode() in head


def test_an_error_without_a_request_has_no_id(line: Line) -> None:
    util.write_error(line, 400, "Bad Request", "what")
    assert b"X-Request-ID" not in line.sent[0]


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
    assert answer.sent == 4, "as the access log tells"
    assert not answer.should_close()


def test_a_file_that_is_shorter_than_told_ends_the_connection(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"file")
    near, far = socket.socketpair()
    with near, far, (tmp_path / "file").open("rb") as file:
        answer = made(near)
        answer.start_response("200 OK", [("Content-Length", "10")])
        answer.write_file(wsgi.FileWrapper(file))
        answer.close()
    assert (answer.sent, answer.should_close()) == (4, True)


def test_a_client_that_takes_nothing_of_a_file_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own waits for it without an end, with a thread for each such client."""
    monkeypatch.setattr(response, "SILENCE", 0.2)
    (tmp_path / "file").write_bytes(bytes(20 << 20))
    near, far = socket.socketpair()
    with near, far, (tmp_path / "file").open("rb") as file:
        answer = made(near)
        answer.start_response("200 OK", [("Content-Length", str(20 << 20))])
        with pytest.raises(TimeoutError):
            answer.write_file(wsgi.FileWrapper(file))
        assert near.gettimeout() is None


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_the_date_is_made_once_a_second() -> None:
    clock, asked = Clock(1_700_000_000.25), list[float]()

    def make(timestamp: float) -> str:
        asked.append(timestamp)
        return f"at {timestamp:g}"

    date = response.Date(clock, make)
    assert {date() for _ in range(100)} == {"at 1.7e+09"}
    clock.now += 1
    assert [date() for _ in range(2)] == ["at 1.7e+09"] * 2
    assert asked == [1_700_000_000, 1_700_000_001]
    assert date(5.5) == "at 5.5"


def test_a_clock_that_is_set_back_is_followed() -> None:
    clock = Clock(1_700_000_000.0)
    date = response.Date(clock)
    assert date() == "Tue, 14 Nov 2023 22:13:20 GMT"
    clock.now = 1_600_000_000.0
    assert date() == "Sun, 13 Sep 2020 12:26:40 GMT"
    clock.now = 0.5
    assert response.Date(clock)() == "Thu, 01 Jan 1970 00:00:00 GMT"
