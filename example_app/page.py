"""Two clients → the page that shows the mood and the latest lines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, make_response, render_template

from example_app.client import Client, ServiceError

SHOWN = 20  # lines
LONGEST = 500  # characters of a line
REFRESH = 3  # seconds, with the script; without it the page reloads itself less often

# Nothing but our own files: markup that slipped through could still run and load nothing.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True)
class Line:
    """One line as it is shown; `made` is None where the service told no sensible time."""

    identity: str
    text: str
    made: datetime | None
    age: str


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def page(lines: Client, mood: Client, clock: Callable[[], datetime] = now) -> Blueprint:
    """The blueprint. `lines` and `mood` speak for the two accounts."""
    blueprint = Blueprint("page", __name__, static_folder="static", template_folder="templates")
    versions = {file.name: _digest(file) for file in (Path(__file__).parent / "static").iterdir()}

    @blueprint.get("/")
    def show() -> Response:
        wrong: dict[str, str] = {}

        def newest(client: Client, kind: str, limit: int) -> list[dict[str, Any]]:
            try:
                return client.newest(kind, limit)
            except ServiceError as error:
                wrong[kind] = str(error)
                return []

        # Side by side, so that a service that hangs is waited for once.
        with ThreadPoolExecutor(2) as pool:
            asked = pool.submit(newest, mood, "current", 1)
            shown = [line(item, clock()) for item in newest(lines, "lines", SHOWN)]
            moods = [text(item, "mood") for item in asked.result()]
        html = render_template(
            "page.html",
            mood=next(filter(None, moods), None),
            lines=[item for item in shown if item.text],
            wrong=wrong,
            refresh=REFRESH,
            versions=versions,
        )
        # Something to show is a page; with nothing, a machine that asks should know too.
        response = make_response(html, 503 if len(wrong) == 2 else 200)
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.after_app_request
    def guard(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    return blueprint


def make(lines: Client, mood: Client, clock: Callable[[], datetime] = now) -> Flask:
    """A Flask app of this page alone."""
    app = Flask("example_app", static_folder=None)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(page(lines, mood, clock))
    return app


def line(item: dict[str, Any], when: datetime) -> Line:
    """An object of the service → a line, whatever the object holds."""
    try:
        made = datetime.fromisoformat(text(item, "createdAt")).astimezone(UTC)
    except (ValueError, OverflowError):
        made = None
    return Line(text(item, "objectId"), text(item, "text"), made, age(made, when) if made else "")


def text(item: dict[str, Any], field: str) -> str:
    """A field as text that can be sent: empty where it is no text, and without half characters."""
    value = item.get(field)
    if not isinstance(value, str):
        return ""
    return value[:LONGEST].encode("utf-8", "replace").decode("utf-8")


def age(made: datetime, when: datetime) -> str:
    """How long ago, in a few characters; clocks that differ make nothing older than now."""
    seconds = max(0, int((when - made).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago" if seconds >= 5 else "just now"


def _digest(file: Path) -> str:
    # In the address, since files in an artifact all have the same time.
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
