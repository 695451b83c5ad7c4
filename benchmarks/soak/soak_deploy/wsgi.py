"""A request's path → an answer, or what somebody's bug could do there."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from luggage import web

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

DAY = 86_400
ORPHANS = """
import os, sys, time
for number in range(int(sys.argv[1])):
    if not os.fork():
        time.sleep(number % 7 / 10)
        os._exit(0)
"""


def _lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _loop() -> None:
    while True:
        pass


def _gil() -> None:
    # Unlike CDLL, PyDLL keeps the interpreter's lock: no other thread of the process runs.
    ctypes.PyDLL(None).sleep(DAY)


WEDGES: dict[str, Callable[[], None]] = {"/lock": _lock, "/loop": _loop, "/gil": _gil}


def _app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = environ.get("PATH_INFO", "")
    _, _, word = path.rpartition("/")
    if path in WEDGES:
        WEDGES[path]()
    elif path.startswith("/orphans/"):
        subprocess.run([sys.executable, "-c", ORPHANS, word], check=True)
    elif path.startswith("/print/"):
        for number in range(int(word)):
            print(f"{number:08} {'x' * 90}")
    elif path == "/sleep":
        time.sleep(1)
    body = b"good\n"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


app = web.endpoints(_app, version=web.version("soak_deploy"))
