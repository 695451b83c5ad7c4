"""A request to the management port, and the system → the answer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from luggage.errors import LuggageError
from luggage.run.operate.system import System
from luggage.run.pages.exposition import Exposition, Facts
from luggage.web import guard

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
FRESH = 1.0  # seconds that a page of metrics serves for whoever else asks
BODY = 1024  # bytes of what may be sent
REFRESH = (5, 60)  # seconds between which the status page may come anew
# What shows more than a word, or changes something, is not for a page of another site.
_PRIVATE = ("/-/status", "/-/log-level")
_LEVEL = re.compile(r"[a-z]{1,16}")


@dataclass(frozen=True)
class Asked:
    """A request. `headers` have their names in lower case; `trusted` it is by who may send it."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    trusted: bool = False


@dataclass(frozen=True)
class Answer:
    """What goes back; HEADERS go with it, and these before them."""

    status: int
    body: bytes
    kind: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


def _text(status: int, text: str, **headers: str) -> Answer:
    return Answer(status, f"{text}\n".encode(), headers=headers)


class Answers:
    """Answers what is asked about `system`. `names` are those of this machine; `say` is
    luggage's voice in the log."""

    def __init__(
        self,
        system: System,
        exposition: Exposition,
        *,
        names: Collection[str] = (),
        say: Callable[[str], None],
    ) -> None:
        self._system = system
        self._exposition = exposition
        self._names = names
        self._say = say
        self._metrics: tuple[float, bytes] = (float("-inf"), b"")
        self._pages: Mapping[str, Callable[[Asked], Answer]] = {
            "/-/ready": lambda _: self._told(self._system.ready()),
            "/-/healthy": lambda _: self._told(self._system.healthy()),
            "/-/version": lambda _: self._version(),
            "/-/metrics": lambda _: self._figures(),
            "/-/log-level": self._level,
            "/-/status": self._status,
        }

    def __call__(self, asked: Asked) -> Answer:
        """The answer; it never raises."""
        path = asked.target.partition("?")[0]
        if path in ("/", "/-/", "/-"):
            return _text(302, "see /-/status", Location="/-/status")
        page = self._pages.get(path)
        if page is None:
            return _text(404, "there is: " + " ".join(self._pages))
        allowed = ("GET", "HEAD", "PUT", "POST") if path == "/-/log-level" else ("GET", "HEAD")
        if asked.method not in allowed:
            return _text(405, f"{', '.join(allowed)} only", Allow=", ".join(allowed))
        try:
            refused = self._refused(path, asked)
            return page(asked) if refused is None else _text(*refused)
        except Exception as error:
            self._say(f"management: {path}: {type(error).__name__}: {error}")
            return _text(500, "this page cannot be made now: the log tells why")

    def _refused(self, path: str, asked: Asked) -> guard.Refusal | None:
        if asked.trusted or path not in _PRIVATE:
            return None
        refused = guard.named(asked.headers.get("host"), self._names)
        if refused is None and asked.method not in ("GET", "HEAD"):
            refused = guard.changes(asked.method, asked.headers)
        return refused

    def _told(self, told: tuple[bool, str]) -> Answer:
        return _text(200 if told[0] else 503, told[1])

    def _version(self) -> Answer:
        text = json.dumps(dict(self._system.version), sort_keys=True)
        return Answer(200, text.encode() + b"\n", JSON)

    def _figures(self) -> Answer:
        made, text = self._metrics
        if time.monotonic() - made > FRESH:
            system = self._system
            facts = Facts(
                states=system.states(),
                version=system.version,
                ready=system.ready()[0],
                healthy=system.healthy()[0],
                stopping=system.stopping,
            )
            text = self._exposition.text(facts)
            self._metrics = time.monotonic(), text
        return Answer(200, text, METRICS)

    def _level(self, asked: Asked) -> Answer:
        if asked.method in ("PUT", "POST"):
            level = _wanted(asked.body)
            if level is None:
                return _text(400, "send a level, such as debug")
            try:
                before = self._system.level
                self._system.set_level(level)
            except LuggageError as error:
                return _text(400, f"{error.message}: {error.hint}")
            if level != before:
                self._say(f"management: log level {level}, was {before}")
        return _text(200, self._system.level)

    def _status(self, asked: Asked) -> Answer:
        from luggage.run.pages import page  # noqa: PLC0415 - for people, who come seldom

        seconds = _seconds(asked.target)
        shown = page.render(self._system, now=time.time(), refresh=seconds)
        headers = {"Content-Security-Policy": page.POLICY}
        if seconds:
            headers["Refresh"] = str(seconds)
        return Answer(200, shown.encode("utf-8", "replace"), HTML, headers)


def _wanted(body: bytes) -> str | None:
    """The level in a body: the bare word, or JSON: "debug", or {"level": "debug"}."""
    text = body.decode("ascii", "replace").strip()
    if text[:1] in ('"', "{"):
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return None
        level = told.get("level") if isinstance(told, dict) else told
        if not isinstance(level, str):
            return None
        text = level
    text = text.strip().lower()
    return text if _LEVEL.fullmatch(text) else None


def _seconds(target: str) -> int:
    """How often the page is to come anew; 0: not at all."""
    try:
        given = parse_qs(urlsplit(target).query, max_num_fields=8).get("refresh", [""])[0]
    except ValueError:
        return 0
    if not given.isascii() or not given.isdigit() or len(given) > 4 or int(given) == 0:
        return 0
    return min(max(int(given), REFRESH[0]), REFRESH[1])
