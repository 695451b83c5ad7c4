"""The WSGI app: `/` answers at once, `/slow?SECONDS` later, `/crash` fails."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable

from deploy_under_test import config
from luggage import web

if os.environ.get("APP_DOES") == "die":
    print("the app cannot start")
    sys.exit(9)
if os.environ.get("APP_DOES") == "vanish":
    os.abort()
if os.environ.get("APP_DOES") == "yawn":
    time.sleep(1)
if os.environ.get("APP_DOES") == "sleep":
    time.sleep(7)
if os.environ.get("APP_DOES") == "look":
    # What it starts would inherit these.
    left = []
    for number in range(256):
        with contextlib.suppress(OSError):
            left += [number] if os.get_inheritable(number) else []
    print("inherited:", left)

SECRET = config.SECRETS.open()["CANARY"].reveal()


def _app(environ, start_response) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/slow":
        time.sleep(float(environ["QUERY_STRING"]))
    if environ["PATH_INFO"] == "/crash":
        raise RuntimeError("the app does not work")
    body = f"{os.getpid()} {len(SECRET)}\n".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


app = web.endpoints(_app, version=web.version("deploy_under_test"))
