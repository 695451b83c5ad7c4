"""A WSGI app → the same app with `/-/ready`, `/-/healthy`, `/-/version`, and more if wanted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from luggage import board

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

READY = "/-/ready"
HEALTHY = "/-/healthy"
VERSION = "/-/version"
ASKED = ("/-/metrics", "/-/status", "/-/log-level")
TEXT = "text/plain; charset=utf-8"
BODY = 1024  # bytes of what may be sent

Page = tuple[str, str, bytes]  # status, type and body


def endpoints(
    app: WSGIApplication,
    *,
    version: Mapping[str, object],
    management: bool = False,
    environ: Mapping[str, str] | None = None,
) -> WSGIApplication:
    """`app`, but the paths of this module are answered here; all other paths are the app's.

    `version` is what `/-/version` shows, as JSON. With `management`, `/-/metrics`, `/-/status` and
    `/-/log-level` are here as well, which the supervisor of `environ` answers; whoever may ask the
    app may then ask these: a proxy in front of it should not let `/-/` through.
    """
    environ = os.environ if environ is None else environ
    seen = board.inherited(environ)
    told = json.dumps(dict(version), sort_keys=True).encode() + b"\n"

    def ready() -> Page:
        if seen is not None and seen.stopping:
            return "503 Service Unavailable", TEXT, b"stopping\n"
        trouble = seen.trouble if seen is not None else ""
        more = f"; {trouble}\n".encode() if trouble else b"\n"
        if seen is not None and not seen.fit:
            return "503 Service Unavailable", TEXT, b"not ready" + more
        return "200 OK", TEXT, b"ready" + more

    pages = {
        READY: ready,
        HEALTHY: lambda: ("200 OK", TEXT, b"healthy\n"),
        VERSION: lambda: ("200 OK", "application/json", told),
    }

    def answer(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = request.get("PATH_INFO", "")
        if not request.get("SCRIPT_NAME"):
            if path in pages:
                return _send(pages[path], request["REQUEST_METHOD"], start_response)
            if management and path in ASKED:
                return _pass_on(request, start_response, environ)
        return app(request, start_response)

    return answer


def _send(page: Callable[[], Page], method: str, start_response: StartResponse) -> Iterable[bytes]:
    more = []
    if method in ("GET", "HEAD"):
        status, kind, body = page()
    else:
        status, kind, body = "405 Method Not Allowed", TEXT, b"GET and HEAD only\n"
        more = [("Allow", "GET, HEAD")]
    headers = [
        ("Cache-Control", "no-store"),
        *more,
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"),
    ]
    start_response(status, headers)
    return [] if method == "HEAD" else [body]


def _pass_on(
    request: WSGIEnvironment, start_response: StartResponse, environ: Mapping[str, str]
) -> Iterable[bytes]:
    # Nobody asks for these while a start is measured.
    from luggage.web import asking, guard  # noqa: PLC0415

    method, path = request["REQUEST_METHOD"], request["PATH_INFO"]
    refused = None
    if method not in ("GET", "HEAD"):
        refused = guard.changes(method, _headers(request))
    length = request.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > BODY or "HTTP_TRANSFER_ENCODING" in request:
        refused = 413, "too large"
    if refused is not None:
        page = _STATUS[refused[0]], TEXT, f"{refused[1]}\n".encode()
        return _send(lambda: page, "GET", start_response)
    query = request.get("QUERY_STRING", "")
    target = f"{path}?{query}" if query else path
    if method not in _METHODS or not all("!" <= it <= "~" for it in target):
        page = "400 Bad Request", TEXT, b"not understood\n"
        return _send(lambda: page, "GET", start_response)
    try:
        body = request["wsgi.input"].read(int(length))
        status, headers, content = asking.ask(environ, method, target, body)
    except (OSError, ValueError) as error:
        gone = (
            "503 Service Unavailable",
            TEXT,
            f"the supervisor does not answer: {error}\n".encode(),
        )
        return _send(lambda: gone, "GET", start_response)
    start_response(status, headers)
    return [content]


_METHODS = ("GET", "HEAD", "PUT", "POST")
_STATUS = {
    403: "403 Forbidden",
    413: "413 Content Too Large",
    415: "415 Unsupported Media Type",
}


def _headers(request: WSGIEnvironment) -> dict[str, str]:
    found = {
        name[5:].replace("_", "-").lower(): str(value)
        for name, value in request.items()
        if name.startswith("HTTP_")
    }
    return found | {"content-type": request.get("CONTENT_TYPE", "")}
