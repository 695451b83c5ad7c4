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
TEXT = "text/plain; charset=utf-8"


def endpoints(app: WSGIApplication, *, version: Mapping[str, object]) -> WSGIApplication:
    """`app`, but the paths of this module are answered here; all other paths are the app's.

    `version` is what `/-/version` shows, as JSON.
    """
    pages: dict[str, tuple[str, bytes]] = {
        READY: (TEXT, b"ready\n"),
        HEALTHY: (TEXT, b"healthy\n"),
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
    status, headers = "200 OK", [("Cache-Control", "no-store")]
    kind, body = page
    if method not in ("GET", "HEAD"):
        status, headers = "405 Method Not Allowed", [("Allow", "GET, HEAD")]
        kind, body = TEXT, b"GET and HEAD only\n"
    headers += [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"),
    ]
    start_response(status, headers)
    return [] if method == "HEAD" else [body]
