"""Lines of the access log: one for each request, which nobody outside can forge."""

from __future__ import annotations

import json
import logging
import re
import select
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luggage.run.log import layout
from luggage.web.access import line
from luggage.web.escaped import bare, escaped

TIME = "[20/Nov/2026:13:25:29 +0000]"
FORGED = 'x" 200 5\r\nluggage  | forged\x1b[2J\x9b2J\u2028\x00\\'
USUAL: dict[str, Any] = {
    "REMOTE_ADDR": "192.0.2.7",
    "REQUEST_METHOD": "GET",
    "RAW_URI": "/a/b?token=secret",
    "PATH_INFO": "/a/b",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_REFERER": "https://user:password@example.org/c?token=secret#part",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11)",
    "HTTP_AUTHORIZATION": "Basic dXNlcjpwYXNzd29yZA==",
    "luggage.request_id": "abc-1",
}
LATIN = st.text(st.characters(max_codepoint=255))


def written(environ: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The line for a human, and the object."""
    told = line(environ, 200, 5, 0.0123, TIME)
    record = logging.makeLogRecord(
        {"name": layout.ACCESS, "msg": told, "process": 12, "levelname": "INFO"}
    )
    return layout.shared(record), json.loads(layout.json(record))


def test_the_combined_format_with_time_and_id() -> None:
    """What tools read, then the seconds and the request's id; no query, no user, no password."""
    text, told = written(USUAL)
    assert text == (
        '192.0.2.7 - - [20/Nov/2026:13:25:29 +0000] "GET /a/b HTTP/1.1" 200 5 '
        '"https://example.org/c" "Mozilla/5.0 (X11)" 0.012 abc-1'
    )
    assert {key: told[key] for key in told.keys() - {"time"}} == {
        "pid": 12,
        "level": "info",
        "logger": "gunicorn.access",
        "request_id": "abc-1",
        "message": "GET /a/b 200",
        "remote": "192.0.2.7",
        "method": "GET",
        "path": "/a/b",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": 5,
        "seconds": 0.0123,
        "referer": "https://example.org/c",
        "agent": "Mozilla/5.0 (X11)",
    }


@pytest.mark.parametrize("name", sorted(USUAL))
def test_no_field_forges_a_line(name: str) -> None:
    """Line ends, escapes and quotes in any field stay within it, as printable ASCII."""
    text, told = written({**USUAL, name: FORGED})
    assert re.fullmatch(r"[\x20-\x7e]+", text)
    assert text.count('"') == 6
    assert len(re.sub(r'"[^"]*"', "q", text).split(" ")) == 12
    for value in told.values():
        assert re.fullmatch(r'[^"\\]*(\\(x[0-9a-f]{2}|u[0-9a-f]{4})[^"\\]*)*', str(value))


@given(st.fixed_dictionaries(dict.fromkeys(sorted(USUAL.keys() - {"luggage.request_id"}), LATIN)))
def test_whatever_is_sent(environ: dict[str, str]) -> None:
    """One line, and one object, each of which a pipe keeps together."""
    text, told = written(environ)
    assert re.fullmatch(r"[\x20-\x7e]+", text)
    assert text.count('"') == 6
    assert isinstance(told, dict)


@pytest.mark.parametrize("character", ["x", "\\", '"', "\x80", " "])
def test_the_longest_line_is_kept_together(character: str) -> None:
    """Whatever a client repeats, lines of several workers do not meet: PIPE_BUF is not passed."""
    environ = dict.fromkeys(USUAL, character * 9000)
    told = line(environ, 200, 10**12, 86_400.0, TIME)
    record = logging.makeLogRecord({"name": layout.ACCESS, "msg": told, "process": 4_194_304})
    assert len(layout.shared(record)) < select.PIPE_BUF
    assert len(layout.json(record)) < select.PIPE_BUF


def test_what_is_not_there() -> None:
    """A dash for a human; in JSON it is left out."""
    text, told = written({})
    assert text == f'- - - {TIME} "- - -" 200 5 "-" "-" 0.012 -'
    assert not told.keys() & {"referer", "agent", "remote", "request_id"}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/a?b", "/a"),
        ("/a#b?c", "/a"),
        ("?secret", ""),
        ("http://u:p@x/y", "http://x/y"),
        ("//u:p@x/y", "//x/y"),
        ("http://u@p@x", "http://x"),
        ("/a/@b", "/a/@b"),
        ("*", "*"),
        (None, ""),
    ],
)
def test_an_address_is_told_without_what_may_be_secret(address: str | None, shown: str) -> None:
    """No query, no fragment, no user, no password."""
    assert bare(address) == shown


def test_escapes_are_those_of_nginx() -> None:
    """Two hexadecimal digits for a byte; what is beyond has four or eight, as in Python."""
    assert escaped('a"\\\n\xe9', 99) == r"a\x22\x5c\x0a\xe9"
    assert escaped("\u2028\U0001f600", 99) == r"\u2028\U0001f600"
    assert escaped("x" * 10, 10) == "x" * 10
    assert escaped("x" * 11, 10) == "x" * 7 + "..."
    assert escaped("", 9) == escaped(None, 9) == "-"
