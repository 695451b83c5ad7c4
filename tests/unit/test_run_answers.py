"""What the management pages answer, and to whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from systems import Standing

from luggage.run.pages import answers
from luggage.run.pages.answers import Answer, Answers, Asked
from luggage.run.pages.exposition import Exposition


class Desk:
    """The pages of a system that stands still."""

    def __init__(self, folder: Path) -> None:
        self.system = Standing(folder)
        self.said: list[str] = []
        exposition = Exposition(folder, self.said.append)
        self._answers = Answers(self.system, exposition, say=self.said.append)

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **more: Any) -> Answer:
        """What is answered; the headers are those of curl, but for `more`."""
        trusted = more.pop("trusted", False)
        headers = {"host": "127.0.0.1:9000"}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        return self._answers(Asked(method, f"/-/{path}", headers, body, trusted))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_ready_and_healthy(desk: Desk) -> None:
    """As the system has it, in words: 200 or 503."""
    assert (desk.ask("ready").status, desk.ask("healthy").status) == (200, 200)
    assert desk.ask("ready").body == b"ready; loop 'robot.1' crash-loops\n"
    desk.system.fit, desk.system.well = (False, "stopping"), (False, "wedged")
    assert desk.ask("ready") == Answer(503, b"stopping\n")
    assert desk.ask("healthy") == Answer(503, b"wedged\n")


def test_version(desk: Desk) -> None:
    """As JSON."""
    answer = desk.ask("version")
    assert json.loads(answer.body) == desk.system.version
    assert answer.kind == "application/json"


def test_metrics(desk: Desk) -> None:
    """In the format that it says; made anew for one who comes later, not for each."""
    answer = desk.ask("metrics")
    assert answer.kind == "text/plain; version=0.0.4; charset=utf-8"
    assert b'luggage_process_up{process="gunicorn"} 1.0\n' in answer.body
    desk.system.fit = (False, "stopping")
    assert desk.ask("metrics").body == answer.body
    desk._answers._metrics = float("-inf"), b""
    assert b"luggage_ready 0.0\n" in desk.ask("metrics").body


def test_the_log_level_is_told_and_set(desk: Desk) -> None:
    """By the bare word or by JSON; a change is told in the log, once."""
    assert desk.ask("log-level").body == b"info\n"
    assert desk.ask("log-level", "PUT", b"debug") == Answer(200, b"debug\n")
    assert desk.system.level == "debug"
    json_type = {"content_type": "application/json"}
    assert desk.ask("log-level", "POST", b'"ERROR"', **json_type).body == b"error\n"
    assert desk.ask("log-level", "PUT", b' {"level": "error"}\n').body == b"error\n"
    assert desk.said == [
        "management: log level debug, was info",
        "management: log level error, was debug",
    ]


def test_whatever_is_asked_there_is_an_answer(desk: Desk) -> None:
    """To headers that are none as well: who gets none would wait for it until its time is over."""
    for origin in ("http://[", "http://[::1", "http://a]", "\ud800", "//[v1.]", ""):
        for host in ("[", "]:", ":", "\ud800", ""):
            answer = desk.ask("log-level", "PUT", b"debug", origin=origin, host=host)
            assert answer.status >= 400
    assert desk.system.level == "info"


@pytest.mark.parametrize(
    "body",
    [b"", b"loud", b"debug info", b"[1]", b'{"level": 1}', b"{", b"\xff", b'"' * 1000, b"{" * 1000],
)
def test_what_is_no_level_changes_nothing(desk: Desk, body: bytes) -> None:
    """400, and no word of it in the log."""
    assert desk.ask("log-level", "PUT", body).status == 400
    assert (desk.system.level, desk.said) == ("info", [])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"host": "evil.example"}, 421),
        ({}, 415),
    ],
)
def test_another_site_cannot_change_the_level(
    desk: Desk, headers: dict[str, str], status: int
) -> None:
    """Whatever a browser would send for it."""
    answer = desk.ask("log-level", "POST", b"debug", **headers)
    assert answer.status == status
    assert desk.system.level == "info"


@pytest.mark.parametrize("path", ["status", "log-level"])
def test_another_sites_name_shows_nothing(desk: Desk, path: str) -> None:
    """What holds lines of the log is not for it; what probes and Prometheus ask for is."""
    assert desk.ask(path, host="evil.example:9000").status == 421
    assert desk.ask(path, host="evil.example:9000", trusted=True).status == 200
    for other in ("ready", "healthy", "version", "metrics"):
        assert desk.ask(other, host="shop.example:9000").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", ""])
def test_nothing_else_changes_anything(desk: Desk, method: str) -> None:
    """405, with what may be done; OPTIONS tells another site nothing."""
    for path in ("ready", "healthy", "version", "metrics", "status"):
        answer = desk.ask(path, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["", "other", "status/", "../etc/passwd", "%2e", "status%00"])
def test_all_else_is_not_there(desk: Desk, path: str) -> None:
    """404 with the list, or 302 from the top."""
    assert desk.ask(path).status == (404 if path else 302)


def test_a_page_that_cannot_be_made_is_told(desk: Desk) -> None:
    """500 without the reason, which is in the log."""
    desk.system.processes = None  # type: ignore[assignment]
    assert desk.ask("status").status == 500
    assert desk.said[0].startswith("management: /-/status: TypeError: ")


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("", None),
        ("refresh=", None),
        ("refresh=0", None),
        ("refresh=-5", None),
        ("refresh=5%0d%0aX: y", None),
        ("refresh=99999", None),
        ("refresh=٣", None),
        ("&".join(["a=b"] * 100), None),
        ("refresh=1", "5"),
        ("refresh=10", "10"),
        ("refresh=9999", "60"),
    ],
)
def test_the_page_comes_anew_where_that_is_asked_for(
    desk: Desk, query: str, seconds: str | None
) -> None:
    """Never by itself, and neither all the time nor with a header of the reader's making."""
    answer = desk.ask(f"status?{query}")
    assert answer.headers.get("Refresh") == seconds
    assert answer.kind == "text/html; charset=utf-8"
    assert b"stop that" in answer.body if seconds else b"stop that" not in answer.body


def test_no_answer_may_be_kept_or_framed() -> None:
    """Nor taken for another type, nor loaded by another site."""
    assert answers.HEADERS["Cache-Control"] == "no-store"
    assert answers.HEADERS["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in answers.HEADERS["Content-Security-Policy"]
    assert answers.HEADERS["Cross-Origin-Resource-Policy"] == "same-origin"
