"""The example's page: what it shows, and what it shows when something is wrong."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from app_service import Script, lines_client, mood_client, standin
from werkzeug.test import TestResponse

from example_app.page import age, line, make

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


def shown(
    lines_url: str, mood_url: str | None = None, path: str = "/", **keys: str
) -> TestResponse:
    """The page of an app that asks these services."""
    lines = lines_client(
        lines_url, attempts=1, timeout=2, **({"key": keys["lines"]} if "lines" in keys else {})
    )
    mood = mood_client(
        mood_url or lines_url,
        attempts=1,
        timeout=2,
        **({"key": keys["mood"]} if "mood" in keys else {}),
    )
    return make(lines, mood).test_client().get(path, buffered=True)


def test_mood_and_lines_are_shown_newest_first(tmp_path: Path) -> None:
    """The page holds the mood and the lines, newest first, in English as it says."""
    with standin(tmp_path) as url:
        for text in ("first line", "second line"):
            lines_client(url).add("lines", {"text": text})
        page = shown(url)
    assert page.status_code == 200
    assert '<p id="mood" class="mood-word" dir="auto">cheerful</p>' in page.text
    assert page.text.index("second line") < page.text.index("first line")
    assert '<html lang="en">' in page.text
    assert "just now</time>" in page.text


def test_markup_is_shown_as_text(tmp_path: Path) -> None:
    """A line, a mood and the title made of it are text, whatever they look like."""
    nasty = "<script>alert('x')</script><img src=x onerror=\"y\">"
    with standin(tmp_path) as url:
        lines_client(url).add("lines", {"text": nasty})
        mood_client(url).add("current", {"mood": nasty})
        page = shown(url)
    assert page.text.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") == 3
    assert page.text.count("<script") == 1
    assert "<img" not in page.text


def test_an_id_cannot_leave_its_attribute() -> None:
    """A service that sends markup as an id does no harm either."""
    body = b'{"results": [{"objectId": "\\"><b>", "text": "hi", "mood": "m"}]}'
    with Script([(200, {}, body)]).served() as url:
        page = shown(url)
    assert 'data-id="&#34;&gt;&lt;b&gt;"' in page.text


def test_a_wrong_key_is_said_plainly_and_the_rest_is_shown(tmp_path: Path) -> None:
    """With one key refused the page says so, shows what the other account gave, and is 200."""
    with standin(tmp_path) as url:
        lines_client(url).add("lines", {"text": "hello there"})
        no_lines, no_mood = shown(url, lines="wrong"), shown(url, mood="wrong")
    assert [no_lines.status_code, no_mood.status_code] == [200, 200]
    assert "The lines cannot be shown: the service refused the API key (401)." in no_lines.text
    assert "cheerful" in no_lines.text
    assert "hello there" not in no_lines.text
    assert "The mood cannot be shown: the service refused the API key (401)." in no_mood.text
    assert "hello there" in no_mood.text


def test_with_nothing_to_show_the_page_is_503_and_still_a_page() -> None:
    """No service: both are told, without a traceback, with status 503 for machines that ask."""
    script = Script([])
    with script.served() as url:
        pass
    page = shown(url)
    assert page.status_code == 503
    assert page.text.count("cannot be shown: the service cannot be reached.") == 2
    assert "Traceback" not in page.text
    assert "</html>" in page.text


def test_a_service_that_hangs_is_waited_for_once() -> None:
    """Both accounts are asked at the same time: the page comes after one time-out, not two."""
    started = time.monotonic()
    with Script([None]).served() as url:
        page = make(
            lines_client(url, timeout=2, attempts=1), mood_client(url, timeout=2, attempts=1)
        )
        answer = page.test_client().get("/")
    assert time.monotonic() - started < 3.9
    assert answer.text.count("did not answer in time") == 2


@pytest.mark.parametrize(
    "results",
    [
        b"[]",
        b"[{}]",
        b'[{"text": null, "mood": 5, "createdAt": [], "objectId": {}}]',
        b'[{"text": "", "mood": ""}]',
    ],
)
def test_objects_that_hold_nothing_are_no_lines(results: bytes) -> None:
    """A service that holds nothing, or objects without text, gives a page that says so."""
    with Script([(200, {}, b'{"results": %s}' % results)]).served() as url:
        page = shown(url)
    assert page.status_code == 200
    assert "No lines yet." in page.text
    assert "nobody knows" in page.text


@pytest.mark.parametrize(
    "text", ["\\ud800", "x" * 100_000, "\\u202eabc", "\\u0000", "9999999999999999999"]
)
@pytest.mark.parametrize(
    "made", ["", "x", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999-23:59"]
)
def test_odd_objects_are_no_traceback(text: str, made: str) -> None:
    """Half characters, long lines and times beyond the calendar are shown somehow, in bounds."""
    body = f'{{"results": [{{"text": "{text}", "mood": "{text}", "createdAt": "{made}"}}]}}'
    with Script([(200, {}, body.encode())]).served() as url:
        page = shown(url)
    assert page.status_code == 200
    assert len(page.data) < 10_000


def test_every_answer_has_a_strict_policy(tmp_path: Path) -> None:
    """All answers forbid everything but files of our own; the page has nothing inline."""
    with standin(tmp_path) as url:
        page = shown(url)
        answers = [page, shown(url, path="/nothing-here"), shown(url, path="/static/page.css")]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<style|style=|\son\w+=|javascript:|https?://", page.text)


def test_every_file_the_page_names_is_there(tmp_path: Path) -> None:
    """Style, script and icon are served under addresses that change with their content."""
    with standin(tmp_path) as url:
        page = shown(url)
        named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        answers = {path: shown(url, path=path) for path in named}
    assert len(named) == 3
    assert {200} == {answer.status_code for answer in answers.values()}
    assert all(re.search(r"\?v=[0-9a-f]{12}$", path) for path in named)


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (-90, "just now"),
        (0, "just now"),
        (4, "just now"),
        (5, "5 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3600, "1 h ago"),
        (200_000, "2 d ago"),
    ],
)
def test_ages(ago: int, said: str) -> None:
    """Ages are short, and never in the future."""
    assert said == age(NOON - timedelta(seconds=ago), NOON)


def test_parse_times_are_read() -> None:
    """A time as Parse writes it is read as UTC."""
    made = line({"text": "x", "createdAt": "2030-01-02T11:59:00.250Z"}, NOON)
    assert (datetime(2030, 1, 2, 11, 59, 0, 250_000, tzinfo=UTC), "59 s ago") == (
        made.made,
        made.age,
    )
