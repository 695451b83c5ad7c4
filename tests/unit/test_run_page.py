"""The status page: all of it in one file, and nothing in it that acts."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from systems import EVIL, LOOP, NOW, VERSION, WEB, Standing

from luggage.run.pages import page

TAGS = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "main"),
    *("h1", "h2", "p", "span", "a", "time"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre"),
}


class Reader(HTMLParser):
    """The tags, the attributes and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_it_shows() -> None:
    """Every process with its state, its starts, how the last life ended, and its last lines."""
    shown = Reader(page.render(Standing(), now=NOW)).text
    assert "shop: ready" in shown
    assert "ready; loop 'robot.1' crash-loops" in shown
    for word in ("gunicorn web", "running", "1 h ago", "robot.1 loop", "waiting, crash-loops"):
        assert word in shown
    assert "killed by signal 9 (SIGKILL), 20 s ago" in shown
    assert "ValueError: " in shown
    assert "(none so far)" in shown
    assert "log level info" in shown
    assert "version 1a2b3c" in shown
    assert "commit" not in shown


@pytest.mark.parametrize("field", ["name", "kind", "state", "last_exit", "line", "version", "why"])
def test_what_others_write_does_nothing(field: str) -> None:
    """A script in any place is text: no tag and no attribute comes with it."""
    evil = f"\"'>{EVIL}<img src=x onerror=alert(1)>&lt;\x00\x1b[2J\u202e"
    system = Standing()
    if field in ("name", "kind", "state", "last_exit"):
        system.processes = [replace(LOOP, **{field: evil})]
    elif field == "line":
        system.last = {"gunicorn": [evil]}
    elif field == "version":
        system.version = {"version": evil, evil: "x", "project": evil}
    else:
        system.fit = system.well = (False, evil)
    read = Reader(page.render(system, now=NOW))
    assert read.tags <= TAGS
    assert EVIL in read.text
    assert not [name for name, _ in read.attributes if name.startswith("on") or name == "src"]
    assert all(re.fullmatch(r"[#?][\w.=-]*|data:,", v) for n, v in read.attributes if n == "href")
    assert "\\u0000\\u001b[2J\\u202e" in read.text
    assert not set("\x00\x1b\u202e") & set(read.text)


def test_no_line_is_endless() -> None:
    """Twenty lines of 16,000 bytes from each process would be no page."""
    shown = page.render(Standing(last={"gunicorn": ["x" * 100_000] * 20}), now=NOW)
    assert len(shown) < 60_000


def test_the_name_is_not_repeated_before_each_line() -> None:
    """It is in the log; here it is the heading."""
    lines = ["gunicorn | one", "gunicorn : two", "gunicorn| three", "robot | four"]
    shown = Reader(page.render(Standing(last={"gunicorn": lines}), now=NOW)).text
    assert "one\ntwo\nthree\nrobot | four" in shown


@pytest.mark.parametrize(
    ("system", "verdict"),
    [
        (Standing(fit=(True, "ready")), "ready"),
        (Standing(fit=(False, "not ready; gunicorn is waiting")), "not ready"),
        (Standing(fit=(False, "stopping"), stopping=True), "stopping"),
    ],
)
def test_the_verdict_is_in_the_title(system: Standing, verdict: str) -> None:
    """One sees it on the browser's tab."""
    assert f"<title>shop: {verdict}</title>" in page.render(system, now=NOW)


def test_the_policy_allows_the_style_alone() -> None:
    """By its digest; a browser runs and loads nothing else."""
    style = re.search("<style>(.*)</style>", page.render(Standing(), now=NOW), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in page.POLICY
    assert page.POLICY.startswith("default-src 'none'; ")


def test_odd_times_are_shown() -> None:
    """A clock that was set, or none at all."""
    odd = [replace(WEB, since=since) for since in (NOW + 1000, 0.0, -1e30, 1e30)]
    assert "unknown" in page.render(Standing(processes=odd), now=NOW)


def test_nothing_of_the_environment_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold secrets."""
    monkeypatch.setenv("SOME_PASSWORD", "canary-of-the-environment")
    shown = page.render(Standing(), now=NOW)
    assert "canary" not in shown
    assert VERSION["version"] in shown
