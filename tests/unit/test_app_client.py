"""The example's client: what it sends, what it takes, and what it never tells."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import traceback
from pathlib import Path

import pytest
from app_service import Script, lines_client, mood_client, standin

from example_app.account import Account
from example_app.address import checked
from example_app.client import LARGEST, Client, ServiceError

KEY = "veiled-lines-key"
NO_LINES = (200, {}, b'{"results": []}')


def free_port() -> int:
    """A loopback port where nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_what_is_added_is_read_back_newest_first(tmp_path: Path) -> None:
    """Lines come back newest first, no more of them than asked for."""
    with standin(tmp_path) as url:
        client = lines_client(url)
        added = [client.add("lines", {"text": f"line {number}"}) for number in range(3)]
        found = client.newest("lines", 2)
    assert [added[2], added[1]] == [item["objectId"] for item in found]
    assert [item["text"] for item in found] == ["line 2", "line 1"]


def test_a_wrong_key_is_told_as_such(tmp_path: Path) -> None:
    """A 401 is an error that says the key was refused, for reading and adding."""
    with standin(tmp_path) as url:
        client = lines_client(url, KEY)
        for work in (lambda: client.newest("lines", 1), lambda: client.add("lines", {"text": "x"})):
            with pytest.raises(ServiceError, match=r"^the service refused the API key \(401\)$"):
                work()


def test_one_accounts_key_does_not_open_the_other(tmp_path: Path) -> None:
    """Two accounts, two keys."""
    with standin(tmp_path) as url, pytest.raises(ServiceError, match="401"):
        mood_client(url, "demo-lines-key").newest("current", 1)


def test_a_busy_service_is_asked_again() -> None:
    """A 503 to a GET is tried again, and the answer that comes is taken."""
    script = Script([(503, {}, b""), (503, {"Retry-After": "0"}, b""), NO_LINES])
    with script.served() as url:
        assert lines_client(url).newest("lines", 1) == []
    assert len(script.asked) == 3


def test_a_long_retry_after_is_not_obeyed() -> None:
    """A service that says `come back in an hour` holds a request up for seconds at most."""
    script = Script([(503, {"Retry-After": "3600"}, b"")])
    started = time.monotonic()
    with script.served() as url, pytest.raises(ServiceError, match="503"):
        lines_client(url, attempts=2).newest("lines", 1)
    assert time.monotonic() - started < 5


def test_a_post_that_may_have_arrived_is_not_sent_twice() -> None:
    """A POST that was answered 503, or not at all, was received once."""
    for answer, said, timeout in (((503, {}, b""), "503", 10), (None, "in time", 0.3)):
        script = Script([answer])
        with script.served() as url, pytest.raises(ServiceError, match=said):
            lines_client(url, timeout=timeout).add("lines", {"text": "x"})
        assert script.asked == ["POST /classes/lines"]


def test_a_post_that_cannot_have_arrived_is_sent_again() -> None:
    """A service that does not listen yet gets the POST when it does, once."""
    port, script = free_port(), Script([(201, {}, b'{"objectId": "a1"}')])
    ready = threading.Event()

    def late() -> None:
        time.sleep(0.15)
        with script.served(port):
            ready.wait(10)

    server = threading.Thread(target=late)
    server.start()
    try:
        client = lines_client(f"http://127.0.0.1:{port}", attempts=6)
        assert client.add("lines", {"text": "x"}) == "a1"
    finally:
        ready.set()
        server.join()
    assert script.asked == ["POST /classes/lines"]


def test_a_hanging_service_is_given_up() -> None:
    """A service that takes a request and never answers is an error after timeout × attempts."""
    script = Script([None])
    started = time.monotonic()
    with script.served() as url, pytest.raises(ServiceError, match="did not answer in time"):
        lines_client(url, timeout=0.3, attempts=2).newest("lines", 1)
    assert 0.6 <= time.monotonic() - started < 3
    assert len(script.asked) == 2


def test_nothing_listening_is_told_as_such() -> None:
    """A refused connection is a plain error."""
    client = lines_client(f"http://127.0.0.1:{free_port()}", attempts=2)
    with pytest.raises(ServiceError, match=r"^the service cannot be reached$"):
        client.newest("lines", 1)


def test_a_redirect_does_not_carry_the_key_elsewhere() -> None:
    """A redirect is an error; the host it names is not asked."""
    elsewhere = Script([NO_LINES])
    with elsewhere.served() as other:
        script = Script([(302, {"Location": f"{other}/classes/lines"}, b"")])
        with script.served() as url, pytest.raises(ServiceError, match="302"):
            lines_client(url).newest("lines", 1)
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no sense"),
        (b"<html>", "no sense"),
        (b"\xff", "no sense"),
        (b"[]", "no sense"),
        (b"[" * 100_000, "no sense"),
        (b'{"results": {}}', "no sense"),
        (b'{"results": ["x"]}', "no sense"),
        (b'{"results": []}' + b" " * LARGEST, "too large"),
    ],
)
def test_an_answer_that_is_none_is_an_error(body: bytes, said: str) -> None:
    """An answer that is no answer of the dialect is one plain error."""
    with Script([(200, {}, body)]).served() as url, pytest.raises(ServiceError, match=said):
        lines_client(url).newest("lines", 1)


def test_an_answer_cut_short_is_an_error() -> None:
    """A connection that breaks in the middle of an answer is one plain error."""
    cut = (200, {"Content-Length": "99", "Connection": "close"}, b'{"results": []}')
    with Script([cut]).served() as url, pytest.raises(ServiceError, match="broke off"):
        lines_client(url).newest("lines", 1)


def test_the_key_is_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    """No repr, error, traceback or log line holds the key, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    texts = []
    with Script([(401, {}, b""), (200, {}, b"[]"), None]).served() as url:
        client = lines_client(url, KEY, timeout=0.2, attempts=1)
        for _ in range(3):
            with pytest.raises(ServiceError) as caught:
                client.newest("lines", 1)
            texts.append("".join(traceback.format_exception(caught.value)))
    texts += [repr(client), str(client), repr(Account("example-lines", KEY)), caplog.text]
    assert [text for text in texts if KEY in text] == []


@pytest.mark.parametrize(
    "key", ["", "s3c ret", "veiled\n", "veiled\r\nX-Other: 1", "s3crét", "\x00"]
)
def test_a_key_that_is_no_header_is_refused_without_being_told(key: str) -> None:
    """Such a key is refused before http.client sees it, which would print it."""
    with pytest.raises(ValueError, match="account 'example-lines': its API key is") as caught:
        Account("example-lines", key)
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8001",
        "ftp://a/",
        "http://",
        "http://a:x/",
        "http://u:p@a/",
        "http://a/?b",
        "http://a/#b",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Only a plain HTTP or HTTPS address is taken, and a password in one is not repeated."""
    with pytest.raises(ValueError, match="the service's address") as caught:
        Client(url, Account("example-lines", KEY))
    assert "u:p" not in str(caught.value)


def test_an_address_may_have_a_path() -> None:
    """A service under a path (`/parse`) is asked under that path, with one slash."""
    assert checked("http://a.example:1337/parse/") == "http://a.example:1337/parse"
    script = Script([NO_LINES])
    with script.served() as url:
        lines_client(f"{url}/parse/").newest("lines", 7)
    assert script.asked == ["GET /parse/classes/lines?order=-createdAt&limit=7"]


def test_a_post_sends_json(tmp_path: Path) -> None:
    """Text of any script goes there and back."""
    with standin(tmp_path) as url:
        client = lines_client(url)
        client.add("lines", {"text": "naïve 🧳 \u202e<b>"})
        assert json.loads(json.dumps(client.newest("lines", 1)))[0]["text"] == "naïve 🧳 \u202e<b>"
