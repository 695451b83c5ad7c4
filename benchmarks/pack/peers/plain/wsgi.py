"""The page, for gunicorn: waits and attempts are those of the example's own deployment."""

from __future__ import annotations

from example_app import page
from plain.clients import client

app = page.make(
    client("example-lines", "LINES_API_KEY", timeout=3, attempts=2),
    client("example-mood", "MOOD_API_KEY", timeout=3, attempts=2),
)
