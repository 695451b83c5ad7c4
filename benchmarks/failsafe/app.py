"""A request's path → an answer, or the fault that it names: one WSGI app, the same for all servers.

The faults are those that Ian Bicking asked for in 2010, and some more.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

DAY = 86_400
FILE = "FAILSAFE_FILE"  # the variable with the path of the big file
LEAK = 32 << 20  # bytes that are never given back, for each request
LARGE = 10_000_000  # bytes of what slow clients fetch
PIECE = 65_536

ORPHANS = """
import os, sys, time
for _ in range(int(sys.argv[1])):
    if not os.fork():
        time.sleep(1)
        os._exit(0)
"""

_leaked: list[bytes] = []


def _cpu() -> None:
    for _ in range(10**7):
        pass


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


def _regex() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")


def _segfault() -> None:
    ctypes.string_at(0)


def _exit() -> None:
    os._exit(9)


def _leak() -> None:
    _leaked.append(b"x" * LEAK)  # not zeros, which the kernel would keep nowhere


def _json() -> None:
    json.loads(b"[" + b"1234567," * 12_500_000 + b"0]")


def _sum() -> None:
    sum(range(10**8))


ACTS: dict[str, Callable[[], object]] = {
    "/cpu": _cpu,
    "/sleep": lambda: time.sleep(1),
    "/lock": _lock,
    "/loop": _loop,
    "/gil": _gil,
    "/regex": _regex,
    "/segfault": _segfault,
    "/abort": os.abort,
    "/exit": _exit,
    "/leak": _leak,
    "/json": _json,
    "/sum": _sum,
}


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What the path asks for; a fault of ACTS comes before an answer of a few bytes."""
    path = environ.get("PATH_INFO", "")
    if path == "/file":
        return _file(environ, start_response)
    if path == "/download":
        return _answer(start_response, LARGE, _pieces(LARGE))
    body = b"x" * 100_000 if path == "/response" else b"good\n"
    if path == "/upload":
        body = b"%d\n" % _received(environ)
    elif path == "/pid":
        body = b"%d\n" % os.getpid()
    elif path.startswith("/sleep/"):
        time.sleep(float(path.removeprefix("/sleep/")))
    elif path.startswith("/orphans/"):
        subprocess.run([sys.executable, "-c", ORPHANS, path.removeprefix("/orphans/")], check=True)
    elif path in ACTS:
        ACTS[path]()
    return _answer(start_response, len(body), [body])


def _answer(start_response: StartResponse, length: int, body: Iterable[bytes]) -> Iterable[bytes]:
    headers = [("Content-Type", "application/octet-stream"), ("Content-Length", str(length))]
    start_response("200 OK", headers)
    return body


def _file(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    file = open(os.environ[FILE], "rb")  # noqa: PTH123, SIM115 - the server closes it
    wrapper = environ.get("wsgi.file_wrapper")
    body = wrapper(file, PIECE) if wrapper else iter(lambda: file.read(PIECE), b"")
    return _answer(start_response, os.fstat(file.fileno()).st_size, body)


def _received(environ: WSGIEnvironment) -> int:
    left = int(environ.get("CONTENT_LENGTH") or 0)
    count = 0
    while left > 0 and (data := environ["wsgi.input"].read(min(PIECE, left))):
        count += len(data)
        left -= len(data)
    return count


def _pieces(length: int) -> Iterator[bytes]:
    for start in range(0, length, PIECE):
        yield bytes(min(PIECE, length - start))
