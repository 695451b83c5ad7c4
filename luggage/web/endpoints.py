"""A WSGI app → the same app with `/-/ready`, `/-/healthy` and `/-/version`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

READY = "/-/ready"
HEALTHY = "/-/healthy"
VERSION = "/-/version"


def endpoints(app: WSGIApplication, *, version: Mapping[str, object]) -> WSGIApplication:
    """`app`, but the paths of this module are answered here; all other paths are the app's.

    `version` is what `/-/version` shows, as JSON.
    """
    pages: dict[str, tuple[str, bytes]] = {
        READY: ("text/plain; charset=utf-8", b"ready\n"),
        HEALTHY: ("text/plain; charset=utf-8", b"healthy\n"),
        VERSION: ("application/json", json.dumps(dict(version), sort_keys=True).encode() + b"\n"),
    }

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page = pages.get(environ.get("PATH_INFO", ""))
        if page is None or environ.get("SCRIPT_NAME"):
            return app(environ, start_response)
        return _send(page, environ["REQUEST_METHOD"], start_response)

    return answer


def _send(
    page: tuple[str, bytes], method: str, start_response: Callable[..., object]
) -> Iterable[bytes]:
    kind, body = page
    if method not in ("GET", "HEAD"):
        start_response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
        return []
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    start_response("200 OK", headers)
    return [] if method == "HEAD" else [body]
