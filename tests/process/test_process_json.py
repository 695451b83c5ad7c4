"""LOG_FORMAT=json: every line of everything is an object; a request's lines have its id."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from typing import Any

import pytest
from running import PACKAGE, Made, Running, started


def objects(running: Running) -> list[dict[str, Any]]:
    """Every line so far."""
    told = [json.loads(line) for line in list(running.lines)]
    for one in told:
        assert {"time", "process", "pid", "stream", "level", "message"} <= one.keys()
    return told


def ask(running: Running, path: str, **headers: str) -> str:
    """The id that the answer has."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{running.port}{path}", headers=names)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers["X-Request-ID"])


def test_every_line_is_an_object(made: Made) -> None:
    """From the first to the last: the supervisor's, gunicorn's, the app's, the loop's, crashes."""
    with started(made, LOG_FORMAT="json", LOOP_DOES="log") as running:
        running.wait_for("gunicorn: ready")
        running.wait_for('"loop".*goes round')
        assert ask(running, "/say?token=secret", X_Request_ID="abc-1") == "abc-1"
        running.wait_for('"path": "/say"')
        with pytest.raises(OSError):
            running.get("/crash?token=secret")
        running.wait_for("the app does not work")
        os.kill(running.children("gunicorn")[0], signal.SIGKILL)
        running.wait_for("gunicorn: killed by signal 9")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        told = objects(running)
        of = {one["message"]: one for one in told}
        own = [one for one in told if one["process"] == "luggage"]
        assert {one["pid"] for one in own} == {running.process.pid}
        within, beside = of["within it"], of["beside it"]
        assert (within["process"], within["request_id"]) == ("gunicorn", "abc-1")
        assert "request_id" not in beside, "a thread of the app is nobody's request"
        assert of["GET /say 200"]["request_id"] == "abc-1"
        assert of["GET /say 200"]["pid"] == within["pid"] != own[0]["pid"]
        assert of["plainly"]["level"] == "info"
        [mine] = [one for one in told if "mine" in one]
        assert (mine["level"], mine["process"], mine["stream"]) == ("warn", "gunicorn", "stdout")
        [crash] = [one for one in told if "Error handling request" in one["message"]]
        assert crash["traceback"].endswith("RuntimeError: the app does not work")
        assert re.fullmatch(r"[0-9a-f]{32}", crash["request_id"])
        assert "token" not in running.text
        assert "to the letter" not in running.text


def test_for_people_the_id_is_in_the_line(made: Made) -> None:
    """In gunicorn's own format, and at the end of the access log's."""
    with started(made) as running:
        running.wait_for("gunicorn: ready")
        ask(running, "/say?token=secret", X_Request_ID="abc-1", User_Agent='a "b" \\ \xe9')
        running.wait_for(r"gunicorn \| \[.*\] \[\d+\] \[INFO\] \[abc-1\] within it$")
        running.wait_for(r"gunicorn \| \[.*\] \[\d+\] \[INFO\] beside it$")
        running.wait_for(r'"GET /say HTTP/1.1" 200 .* "a \\x22b\\x22 \\x5c \\xe9" \d+\.\d+ abc-1$')
        given = ask(running, "/%0aluggage%20%20|%20forged", X_Request_ID="a b")
        assert re.fullmatch(r"[0-9a-f]{32}", given)
        running.wait_for(rf'"GET /%0aluggage%20%20\|%20forged HTTP/1.1" 200 .* {given}$')
        assert "token" not in running.text


def test_the_level_is_changed_while_everything_runs(made: Made) -> None:
    """In workers and loops, within moments, and back."""
    with started(made, LOOP_DOES="log") as running:
        running.wait_for("gunicorn: ready")
        running.wait_for("INFO goes round")
        assert "to the letter" not in running.text
        level(made, "debug")
        running.wait_for("loop +. DEBUG to the letter")
        end = time.monotonic() + 15
        while not re.search(r"gunicorn \|.*\[DEBUG\].* to the letter", running.text):
            ask(running, "/say")
            assert time.monotonic() < end
            time.sleep(0.1)
        level(made, "error")
        end, seen = time.monotonic() + 15, -1
        while seen != len(running.lines):
            seen = len(running.lines)
            time.sleep(1)
            assert time.monotonic() < end, "the loop still says more than errors"
        end, number = time.monotonic() + 15, 0
        while said(running, f"quiet-{number:03}"):
            assert time.monotonic() < end, "the worker still says more than errors"
            number += 1
        said(running, "later")
        quiet = f"quiet-{number:03}"
        assert quiet not in running.text, "lines of the access log are of the level info"


def said(running: Running, name: str) -> bool:
    """Whether a line of the app has this id, with which it is asked."""
    before = len(running.lines)
    ask(running, "/say", X_Request_ID=name)
    running.wait_for("plainly", after=before)
    return name in running.text


def level(made: Made, wanted: str) -> None:
    words = [sys.executable, "-m", PACKAGE, "ctl", "log-level", wanted]
    subprocess.run(words, cwd=made.folder, env=made.environ(), check=True, timeout=60)


def test_an_error_at_start_is_an_object_too(made: Made) -> None:
    """All that is wrong, with the hint, in one line; the exit status stays."""
    with started(made, LOG_FORMAT="JSON", WEB_CONCURRENCY="0") as running:
        assert running.wait() == 1
        [told] = objects(running)
        assert told["message"].startswith("error: variable WEB_CONCURRENCY: '0' is not")
        assert "\nhint: " in told["message"]
        assert (told["process"], told["level"], told["stream"]) == ("luggage", "error", "stderr")


def test_what_is_wrong_before_the_start_itself_is_an_object_too(made: Made) -> None:
    """Words that are wrong, and a module that cannot be imported, with its traceback."""
    with started(made, "start", "--bogus", LOG_FORMAT="json") as running:
        assert running.wait() == 2
        [told] = objects(running)
        assert told["message"].startswith("error: start: these arguments cannot be read")
    (made.folder / PACKAGE / "config.py").write_text("import nowhere_to_be_found\n")
    with started(made, LOG_FORMAT="json") as running:
        assert running.wait() == 1
        [told] = objects(running)
        assert told["message"] == "ModuleNotFoundError: No module named 'nowhere_to_be_found'"
        assert told["traceback"].startswith("Traceback (most recent call last):\n")
        assert told["traceback"].endswith(told["message"])
        assert (told["process"], told["level"], told["stream"]) == ("luggage", "error", "stderr")
    with started(made) as running:
        assert running.wait() == 1
        assert running.lines[0] == b"Traceback (most recent call last):", "for people as ever"


def test_nothing_is_said_where_there_is_nothing_to_say(made: Made) -> None:
    """Without a management port its line is left out, not empty."""
    with started(made, LOG_FORMAT="json", MANAGEMENT_PORT="0") as running:
        running.wait_for("gunicorn: ready")
        assert all(one["message"] for one in objects(running))
